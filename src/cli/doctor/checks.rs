//! What the machine's facts mean for tracing. Each check is a pure function of the facts: what
//! was found, whether it is enough, and what to do where it is not.

use super::machine::{Machine, Sessions};
use serde::Serialize;

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable name.
    pub id: &'static str,
    /// What was looked at.
    pub title: &'static str,
    /// Whether it is enough.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Whether something is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Ok,
    /// Tracing works, but something is worse than it could be.
    Limited,
    /// Without it nothing can be traced.
    Missing,
    /// It could not be found out.
    Unknown,
}

/// Every check, what everything else needs first.
pub fn all(machine: &Machine) -> Vec<Check> {
    if let Some(sessions) = &machine.sessions {
        let checks = [tracing(sessions), left(sessions), symbol_path(machine), debuginfod(machine)];
        return checks.into_iter().chain(program(machine)).collect();
    }
    if machine.os != "linux" {
        let checks = [system(machine), symbol_path(machine), debuginfod(machine)];
        return checks.into_iter().chain(program(machine)).collect();
    }
    let mut checks = vec![
        system(machine),
        kernel(machine),
        libc(machine),
        memory_files(machine),
        temporary(machine),
        debug_files(machine),
        debuginfod(machine),
        attach(machine),
    ];
    checks.extend(program(machine));
    checks
}

fn check(
    id: &'static str,
    title: &'static str,
    state: State,
    found: impl Into<String>,
    advice: &str,
) -> Check {
    let advice = (state != State::Ok).then(|| advice.to_owned());
    Check { id, title, state, found: found.into(), advice }
}

fn system(machine: &Machine) -> Check {
    let fits = machine.os == "linux" && machine.arch == "x86_64";
    check(
        "system",
        "System",
        if fits { State::Ok } else { State::Missing },
        format!("{} on {}", machine.os, machine.arch),
        "Programs are traced on Linux on x86_64. Recorded traces can be analysed here.",
    )
}

/// Whether sessions of event tracing can be had. What no real Windows has shown yet is said, not taken for granted.
fn tracing(sessions: &Sessions) -> Check {
    let Sessions { product, version: (major, minor), build, is_wine, is_elevated, .. } = sessions;
    let windows = format!("{product} {major}.{minor}.{build}");
    let check = |state, found: String, advice: &str| {
        check("event-tracing", "Event tracing (ETW)", state, found, advice)
    };
    if *is_wine {
        return check(
            State::Missing,
            format!("Wine, as {windows}"),
            "Sessions can be started under Wine, and deliver nothing. Capture on Windows itself. Recordings can be \
             analysed here.",
        );
    }
    if (*major, *minor) < (6, 1) && *major > 0 {
        return check(
            State::Missing,
            windows,
            "Heaps are traced on Windows 7, Server 2008 R2 or later. Capture with UMDH, and give its logs to \
             `unfreed analyze` (docs/windows.md).",
        );
    }
    if *is_elevated == Some(false) {
        return check(
            State::Missing,
            format!("{windows}, without an administrator's rights"),
            "Open the console with \"Run as administrator\".",
        );
    }
    check(
        State::Limited,
        windows,
        "This was built to Microsoft's interfaces and tested under Wine, which has no event tracing: no real Windows was \
         at hand. A capture that brings nothing says so; docs/windows.md has other ways to capture.",
    )
}

/// What runs that were killed have left.
fn left(sessions: &Sessions) -> Check {
    let state = if sessions.left == 0 { State::Ok } else { State::Limited };
    let found = match sessions.left {
        0 => "nothing".to_owned(),
        1 => "by one run that is gone".to_owned(),
        count => format!("by {count} runs that are gone"),
    };
    check("left-behind", "Left behind", state, found, "`unfreed doctor --repair` puts it back.")
}

/// Nothing else needs it, so that it is at worst limited.
fn attach(machine: &Machine) -> Check {
    let title = "Attaching with eBPF";
    let check = |state, found: &str, advice: &str| check("attach", title, state, found, advice);
    match &machine.attach {
        None => check(State::Unknown, "not looked at", "Attaching is for Linux on x86_64."),
        Some(Err(obstacle)) => check(
            State::Limited,
            &obstacle.what,
            obstacle.advice.as_deref().unwrap_or("docs/attach.md says which kernel can do what."),
        ),
        Some(Ok(ability)) => {
            let state = if ability.is_whole { State::Ok } else { State::Limited };
            check(
                state,
                &ability.found,
                "It works; docs/attach.md says what newer kernels do better.",
            )
        }
    }
}

fn kernel(machine: &Machine) -> Check {
    let known = machine.kernel.is_some();
    check(
        "kernel",
        "Kernel",
        if known { State::Ok } else { State::Unknown },
        machine.kernel.as_deref().unwrap_or("not known"),
        "/proc/sys/kernel/osrelease could not be read. Is /proc mounted?",
    )
}

fn libc(machine: &Machine) -> Check {
    let title = "C library with _dl_find_object";
    let Some(libc) = &machine.libc else {
        let advice = "This program does not run on a shared C library that could be looked at; \
                      the traced programs' library must be glibc 2.35 or later.";
        return check("libc", title, State::Unknown, "not known", advice);
    };
    let found = match libc.version {
        Some((major, minor)) => format!("glibc {major}.{minor} ({})", libc.path.display()),
        None => libc.path.display().to_string(),
    };
    let advice = "The agent needs glibc 2.35 or later (Debian 12, Ubuntu 22.04, RHEL 10). Trace \
                  in a container with one of these, or analyse a trace that was recorded there.";
    check("libc", title, if libc.finds_objects { State::Ok } else { State::Missing }, found, advice)
}

fn memory_files(machine: &Machine) -> Check {
    let title = "Shared memory (memfd)";
    match &machine.shared_memory {
        None => check("memfd", title, State::Unknown, "not tried", "Start a trace, and see."),
        Some(Ok(())) => check("memfd", title, State::Ok, "can be made", ""),
        Some(Err(why)) => check(
            "memfd",
            title,
            State::Missing,
            why.as_str(),
            "The agent writes into memory that it shares with unfreed: a memory file, which the \
             kernel, a limit on memory or a container's rules refuse here.",
        ),
    }
}

fn temporary(machine: &Machine) -> Check {
    let title = "A place for the agent";
    match &machine.agent_place {
        None => check("temporary", title, State::Unknown, "not tried", "Start a trace, and see."),
        Some(Ok(path)) => check("temporary", title, State::Ok, path.display().to_string(), ""),
        Some(Err(why)) => check(
            "temporary",
            title,
            State::Missing,
            why.as_str(),
            "The agent is a library that the traced program loads from a file. Set TMPDIR to a \
             directory that you may write to, with room, on a file system that is not mounted \
             noexec.",
        ),
    }
}

fn debug_files(machine: &Machine) -> Check {
    let title = "Separate debug files";
    if machine.symbol_directories.is_empty() {
        return check(
            "debug-files",
            title,
            State::Limited,
            "none installed",
            "Exported functions are named all the same. For every name install the -dbgsym or \
             -debuginfo packages of what is traced, or name a directory with --symbols.",
        );
    }
    let paths: Vec<_> =
        machine.symbol_directories.iter().map(|path| path.display().to_string()).collect();
    check("debug-files", title, State::Ok, paths.join(", "), "")
}

/// Where a machine other than Linux has symbols.
fn symbol_path(machine: &Machine) -> Check {
    let title = "Symbol path";
    match &machine.symbol_path {
        Some(path) => check("symbol-path", title, State::Ok, path.as_str(), ""),
        None => check(
            "symbol-path",
            title,
            State::Limited,
            "_NT_SYMBOL_PATH is not set",
            "Exported functions are named all the same. For every name, name the directory of your PDBs with --symbols, \
             or set it, as in _NT_SYMBOL_PATH=C:\\Symbols; the servers in it are asked only with --download-symbols.",
        ),
    }
}

fn debuginfod(machine: &Machine) -> Check {
    let title = "Debug file server (debuginfod)";
    match &machine.debuginfod {
        Some(urls) => check("debuginfod", title, State::Ok, urls.as_str(), ""),
        None => check(
            "debuginfod",
            title,
            State::Limited,
            "DEBUGINFOD_URLS is not set",
            "Nothing is fetched from the network. To have names of distribution packages \
             fetched, set it to the distribution's server, as in \
             DEBUGINFOD_URLS=https://debuginfod.debian.net",
        ),
    }
}

fn program(machine: &Machine) -> Option<Check> {
    let program = machine.program.as_ref()?;
    let title = "The program";
    let Some(path) = &program.path else {
        let advice = "Give the path of a program, or the name of one that is on PATH.";
        let found = format!("{}: not found", program.asked);
        return Some(check("program", title, State::Missing, found, advice));
    };
    let path = path.display();
    Some(match &program.obstacle {
        None if machine.sessions.is_some() => {
            check("program", title, State::Ok, format!("{path}: any program can be traced"), "")
        }
        None => check("program", title, State::Ok, format!("{path} takes an agent"), ""),
        Some(obstacle) => check(
            "program",
            title,
            State::Missing,
            format!("{path}: {}", obstacle.what),
            obstacle.advice.as_deref().unwrap_or_default(),
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::machine::{Ability, Libc};
    use super::*;

    fn good() -> Machine {
        Machine {
            os: "linux",
            arch: "x86_64",
            kernel: Some("6.1".to_owned()),
            libc: Some(Libc {
                path: "libc.so.6".into(),
                version: Some((2, 36)),
                finds_objects: true,
            }),
            shared_memory: Some(Ok(())),
            agent_place: Some(Ok("tmp".into())),
            debuginfod: Some("https://example.org".to_owned()),
            symbol_path: None,
            symbol_directories: vec!["debug".into()],
            program: None,
            sessions: None,
            attach: Some(Ok(Ability { found: "the probe loads".to_owned(), is_whole: true })),
        }
    }

    /// The state of a check after the machine was changed; every other check stays fine.
    fn state(id: &str, change: impl FnOnce(&mut Machine)) -> State {
        let mut machine = good();
        change(&mut machine);
        let checks = all(&machine);
        for other in checks.iter().filter(|check| check.id != id) {
            assert_eq!(other.state, State::Ok, "{other:?}");
        }
        let check = checks.iter().find(|check| check.id == id).unwrap();
        assert_eq!(check.advice.is_some(), check.state != State::Ok, "{check:?}");
        check.state
    }

    #[test]
    fn what_windows_must_be_and_what_was_left() {
        let good = || Sessions {
            product: "Windows Server 2022".to_owned(),
            version: (10, 0),
            build: 20_348,
            is_elevated: Some(true),
            ..Sessions::default()
        };
        let states = |sessions: Sessions| {
            let machine = Machine { os: "windows", sessions: Some(sessions), ..Machine::default() };
            let checks = all(&machine);
            (checks[0].state, checks[1].state)
        };
        // Nobody has seen it deliver: that is never "ok".
        assert_eq!(states(good()), (State::Limited, State::Ok));
        assert_eq!(states(Sessions { is_elevated: None, ..good() }).0, State::Limited);
        assert_eq!(states(Sessions { is_elevated: Some(false), ..good() }).0, State::Missing);
        assert_eq!(states(Sessions { version: (6, 0), ..good() }).0, State::Missing);
        assert_eq!(states(Sessions { is_wine: true, ..good() }).0, State::Missing);
        assert_eq!(states(Sessions { left: 2, ..good() }).1, State::Limited);
    }

    #[test]
    fn each_fact_decides_its_check() {
        assert_eq!(state("system", |_| {}), State::Ok);
        assert_eq!(state("system", |m| m.arch = "aarch64"), State::Missing);
        assert_eq!(state("kernel", |m| m.kernel = None), State::Unknown);
        assert_eq!(
            state("libc", |m| m.libc.as_mut().unwrap().finds_objects = false),
            State::Missing
        );
        assert_eq!(state("libc", |m| m.libc = None), State::Unknown);
        let no = || Err("no".to_owned());
        assert_eq!(
            state("temporary", |m| m.agent_place = Some(no().map(|()| "".into()))),
            State::Missing
        );
        assert_eq!(state("temporary", |m| m.agent_place = None), State::Unknown);
        assert_eq!(state("memfd", |m| m.shared_memory = Some(no())), State::Missing);
        assert_eq!(state("memfd", |m| m.shared_memory = None), State::Unknown);
        assert_eq!(state("debuginfod", |m| m.debuginfod = None), State::Limited);
        assert_eq!(state("debug-files", |m| m.symbol_directories.clear()), State::Limited);
    }

    #[test]
    fn where_nothing_is_traced_only_names_are_looked_at() {
        let mut machine = Machine { os: "windows", ..good() };
        let states = |machine: &Machine| -> Vec<_> {
            all(machine).into_iter().map(|check| (check.id, check.state)).collect()
        };
        let rest = [("symbol-path", State::Limited), ("debuginfod", State::Ok)];
        let missing = [("system", State::Missing)];
        assert_eq!(states(&machine), [missing.as_slice(), &rest].concat());
        machine.symbol_path = Some(r"srv*C:\Symbols*https://example.org".to_owned());
        assert_eq!(states(&machine)[1].1, State::Ok);
    }
}
