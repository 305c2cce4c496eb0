//! What a column counts: `\\HOST\Process(inetinfo#1)\Private Bytes`.

use crate::event::Metric;

/// Whose counter a column is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Instance {
    /// The computer; empty where the path names none.
    pub host: String,
    /// Whether the object is `.NET CLR Memory`, which numbers processes in its own way.
    pub managed: bool,
    /// The program, without the number that tells equal ones apart.
    pub program: String,
    /// That number; 0 for the first.
    pub number: u32,
    /// The process's number, where the instance's name has it (`Process V2`).
    pub pid: Option<u32>,
}

/// What a column holds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Pid,
    Metric(Metric),
}

/// Reads a path; `None` for what is not looked at.
pub(super) fn read(path: &str) -> Option<(Instance, Holds)> {
    let path = path.trim();
    let (host, rest) = match path.strip_prefix(r"\\") {
        Some(rest) => rest.split_once('\\')?,
        None => ("", path.strip_prefix('\\')?),
    };
    let (object, counter) = rest.rsplit_once('\\')?;
    let (object, instance) = object.strip_suffix(')')?.split_once('(')?;
    let managed = object.eq_ignore_ascii_case(".NET CLR Memory");
    let second = object.eq_ignore_ascii_case("Process V2");
    if !managed && !second && !object.eq_ignore_ascii_case("Process") {
        return None;
    }
    let holds = holds(managed, counter)?;
    let (program, pid) = match instance.rsplit_once(':').filter(|_| second) {
        Some((program, pid)) => (program, Some(pid.parse().ok()?)),
        None => (instance, None),
    };
    let numbered =
        program.rsplit_once('#').and_then(|(program, n)| Some((program, n.parse().ok()?)));
    let (program, number) = numbered.unwrap_or((program, 0));
    // Sums, and the time in which nothing runs.
    if ["_Total", "_Global_", "Idle"].iter().any(|name| name.eq_ignore_ascii_case(program)) {
        return None;
    }
    let (host, program) = (host.to_owned(), program.to_owned());
    Some((Instance { host, managed, program, number, pid }, holds))
}

fn holds(managed: bool, counter: &str) -> Option<Holds> {
    let of: &[(&str, Holds)] = if managed {
        &[("# Bytes in all Heaps", Holds::Metric(Metric::ManagedHeap)), ("Process ID", Holds::Pid)]
    } else {
        &[
            ("ID Process", Holds::Pid),
            ("Process ID", Holds::Pid),
            ("Private Bytes", Holds::Metric(Metric::PrivateBytes)),
            ("Virtual Bytes", Holds::Metric(Metric::VirtualBytes)),
            ("Working Set", Holds::Metric(Metric::Rss)),
            ("Handle Count", Holds::Metric(Metric::Handles)),
            ("Thread Count", Holds::Metric(Metric::Threads)),
        ]
    };
    of.iter().find(|(name, _)| name.eq_ignore_ascii_case(counter.trim())).map(|(_, holds)| *holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let instance = |program: &str, number, managed, pid| Instance {
            host: "EX1".to_owned(),
            managed,
            program: program.to_owned(),
            number,
            pid,
        };
        for (path, expected) in [
            (
                r"\\EX1\Process(inetinfo)\Private Bytes",
                Some((instance("inetinfo", 0, false, None), Holds::Metric(Metric::PrivateBytes))),
            ),
            (
                r"\\EX1\Process(a (b)\c#12)\ID Process",
                Some((instance(r"a (b)\c", 12, false, None), Holds::Pid)),
            ),
            (
                r"\\EX1\.NET CLR Memory(w3wp#1)\# Bytes in all Heaps",
                Some((instance("w3wp", 1, true, None), Holds::Metric(Metric::ManagedHeap))),
            ),
            (
                r"\\EX1\Process V2(store:4711)\Handle Count",
                Some((instance("store", 0, false, Some(4711)), Holds::Metric(Metric::Handles))),
            ),
            (r"\\EX1\Process(_Total)\Private Bytes", None),
            (r"\\EX1\Processor(0)\% Processor Time", None),
            (r"\\EX1\Process(inetinfo)\% Processor Time", None),
            (r"\\EX1\Memory\Available Bytes", None),
            ("", None),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }
}
