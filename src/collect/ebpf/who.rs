//! Whom to attach to: by number, by name, by the control group that systemd or a container has put them in.

use std::fs;

/// Somebody to attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The process with this number.
    Pid(u32),
    /// All processes of this name: that of the program's file, or the process's own.
    Name(String),
    /// All processes of this systemd unit: `postfix.service`, or `postfix` for short.
    Unit(String),
    /// All processes in this control group and below: `/system.slice/docker-….scope`.
    Cgroup(String),
}

/// The kernel keeps no more of a name.
const NAME_MOST: usize = 15;

impl Who {
    /// From what the user wrote: digits are a number.
    pub fn of(text: &str) -> Who {
        text.parse().map_or_else(|_| Who::Name(text.to_owned()), Who::Pid)
    }

    /// Whether a process is meant.
    pub(super) fn is(&self, pid: u32) -> bool {
        match self {
            Who::Pid(meant) => *meant == pid,
            Who::Name(name) => is_named(pid, name),
            Who::Unit(unit) => {
                let unit =
                    if unit.contains('.') { unit.clone() } else { format!("{unit}.service") };
                groups(pid).iter().any(|group| group.split('/').any(|part| part == unit))
            }
            Who::Cgroup(path) => {
                let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
                let path = below_mount(path, &mounts).trim_end_matches('/');
                groups(pid).iter().any(|group| is_below(group, path))
            }
        }
    }

    /// Whether it is one process that will not come again.
    pub(super) fn is_one(&self) -> bool {
        matches!(self, Who::Pid(_))
    }

    /// In words: "of the name smtpd".
    pub fn text(&self) -> String {
        match self {
            Who::Pid(pid) => pid.to_string(),
            Who::Name(name) => format!("of the name {name}"),
            Who::Unit(unit) => format!("in the unit {unit}"),
            Who::Cgroup(path) => format!("in the control group {path}"),
        }
    }
}

/// All processes that are meant, in order, without this one.
pub(super) fn running(who: &Who) -> Vec<u32> {
    if let Who::Pid(pid) = who {
        return if fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
            vec![*pid]
        } else {
            Vec::new()
        };
    }
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut meant: Vec<u32> =
        pids.filter(|pid| *pid != std::process::id() && who.is(*pid)).collect();
    meant.sort_unstable();
    meant
}

fn is_named(pid: u32, name: &str) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let file = program.as_deref().and_then(|path| path.file_name());
    // A kernel's thread has no program, and is nobody's target.
    let Some(file) = file else { return false };
    if file.to_string_lossy() == name {
        return true;
    }
    let own = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cut = name.get(..NAME_MOST).unwrap_or(name);
    own.trim_end() == cut
}

fn groups(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).map(str::to_owned).collect()
}

/// The path of a group by its own hierarchy, if it was given as the directory that it is.
fn below_mount<'p>(path: &'p str, mounts: &str) -> &'p str {
    let hierarchies = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        let rest = path.strip_prefix(point).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        rest.filter(|_| kind.starts_with("cgroup"))
    });
    // Of several above it the nearest.
    hierarchies.min_by_key(|rest| rest.len()).unwrap_or(path)
}

fn is_below(group: &str, path: &str) -> bool {
    group.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_and_all_else_a_name() {
        assert_eq!(Who::of("812"), Who::Pid(812));
        assert_eq!(Who::of("mosquitto"), Who::Name("mosquitto".to_owned()));
        assert_eq!(Who::of("7z"), Who::Name("7z".to_owned()));
    }

    #[test]
    fn a_group_may_be_given_as_its_directory() {
        let mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nx /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
            tmpfs /system.slice tmpfs rw 0 0\n";
        let below = |path| below_mount(path, mounts);
        assert_eq!(below("/sys/fs/cgroup/system.slice"), "/system.slice");
        assert_eq!(below("/sys/fs/cgroup/unified/a"), "/a");
        assert_eq!(below("/sys/fs/cgroup"), "");
        assert_eq!(below("/system.slice/a.service"), "/system.slice/a.service");
    }

    #[test]
    fn a_group_is_below_another_by_whole_parts() {
        assert!(is_below("/system.slice/a.service", "/system.slice"));
        assert!(is_below("/system.slice", "/system.slice"));
        assert!(!is_below("/system.slice2", "/system.slice"));
    }
}
