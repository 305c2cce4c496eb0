//! What `/proc` says of a traced process.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::record::{ModuleSeen, ProcessBegan};

/// The number by which we know a process that has mapped the memory with this inode, and 0 where it
/// is not to be found. It may be something else by now: what is certain of it is what it said.
pub(in crate::collect) fn locate(said: Said, inode: u64) -> u32 {
    let own = said.own_pid;
    let here = said.namespace == own_namespace();
    // The first process of a new namespace counts itself as 1, whoever made it.
    let among_ours = |parent| own != 1 && namespace_of_children(parent) == Some(own_namespace());
    if here && said.forked_by.is_none_or(among_ours) || has_mapped(own, inode) == Some(true) {
        return own;
    }
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let candidates: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| inner_number(*pid) == Some(own))
        .collect();
    let certain = candidates.iter().find(|pid| has_mapped(**pid, inode) == Some(true));
    match (certain, candidates.as_slice()) {
        (Some(pid), _) => *pid,
        (None, [pid]) if !here => *pid,
        // It may have ended, or executed something, since. The first process of a namespace counts
        // itself as 1, which here is somebody who was there before us.
        _ if (here || said.namespace == 0) && !is_older_than_us(own) => own,
        _ => 0,
    }
}

fn is_older_than_us(pid: u32) -> bool {
    let began = |pid: &str| -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
    };
    began(&pid.to_string()).zip(began("self")).is_some_and(|(its, ours)| its < ours)
}

/// What a process said of its number.
#[derive(Clone, Copy, Debug)]
pub(in crate::collect) struct Said {
    /// As it counts itself.
    pub(in crate::collect) own_pid: u32,
    /// In which namespace its image began; 0 where it does not know.
    pub(in crate::collect) namespace: u64,
    /// By whom it was forked, perhaps into another.
    pub(in crate::collect) forked_by: Option<u32>,
}

/// The pid namespace that we are in.
fn own_namespace() -> u64 {
    static OWN: OnceLock<u64> = OnceLock::new();
    *OWN.get_or_init(|| namespace("/proc/self/ns/pid").unwrap_or(0))
}

/// The pid namespace that the children of a process begin in.
fn namespace_of_children(pid: u32) -> Option<u64> {
    namespace(&format!("/proc/{pid}/ns/pid_for_children"))
}

fn namespace(link: &str) -> Option<u64> {
    let link = fs::read_link(link).ok()?;
    let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// What a process in a pid namespace below ours counts itself as.
fn inner_number(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let numbers: Vec<&str> = line.split_whitespace().collect();
    (numbers.len() > 1).then(|| numbers.last()?.parse().ok()).flatten()
}

/// Whether a process has mapped the session's memory; `None` where that cannot be known, or it has
/// mapped nothing any more.
pub(in crate::collect) fn has_mapped(pid: u32, inode: u64) -> Option<bool> {
    let map = fs::read_to_string(format!("/proc/{pid}/maps")).ok().filter(|map| !map.is_empty())?;
    let inode = format!(" {inode} ");
    // A service's is a file of this name.
    let is_session =
        |line: &str| line.contains("/memfd:unfreed-session") || line.ends_with("/session");
    Some(map.lines().any(|line| is_session(line) && line.contains(&inode)))
}

/// What there is to know of a process; `program` is what it said itself. Empty where it said
/// nothing and has already gone.
pub(in crate::collect) fn describe(pid: u32, said: Option<PathBuf>) -> ProcessBegan {
    let text = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let command: Vec<String> = text("cmdline")
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    let command = match command.split_last() {
        Some((last, rest)) if last.is_empty() => rest.to_vec(),
        _ => command,
    };
    // Where it could not know better it said what it was executed as, by a path from its own root.
    let program = match (said, program(pid)) {
        (Some(said), Some(seen)) if seen.ends_with(said.strip_prefix("/").unwrap_or(&said)) => seen,
        (said, seen) => said.or(seen).unwrap_or_default(),
    };
    let name = program
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|| String::from_utf8_lossy(&text("comm")).trim_end().to_owned());
    let parent = parent(&text("stat")).unwrap_or(0);
    ProcessBegan {
        pid,
        parent,
        name,
        command,
        program: program.to_string_lossy().into_owned(),
        attached: false,
        forked_from: None,
    }
}

/// The path of the program that a process executes.
pub(in crate::collect) fn program(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Field 4 of `stat`; field 2 is a name in parentheses that may hold anything.
fn parent(stat: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(stat);
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Resident bytes.
pub(in crate::collect) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: asks for a constant.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    pages.checked_mul(page)
}

/// Whether a process with this pid is still there and still has a thread.
pub(in crate::collect) fn is_alive(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat_is_alive(&stat))
}

/// Fields 3, the state, and 20, the number of threads. A process whose first thread has left is
/// a zombie by its state, while the others run on.
fn stat_is_alive(stat: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stat);
    let Some((_, rest)) = text.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    match fields.next() {
        None | Some("X") => false,
        Some("Z") => fields.nth(16).and_then(|count| count.parse().ok()).unwrap_or(0) > 1,
        Some(_) => true,
    }
}

/// Whether a process has a thread with this id.
pub(in crate::collect) fn has_thread(pid: u32, tid: u32) -> bool {
    fs::exists(format!("/proc/{pid}/task/{tid}")).unwrap_or(true)
}

/// The name of a thread; empty where it has ended.
pub(in crate::collect) fn thread_name(pid: u32, tid: u32) -> Box<str> {
    let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm")).unwrap_or_default();
    name.trim_end().into()
}

/// The modules of a process as long as it executes this program: what it executes later has another map.
pub(in crate::collect) fn modules_of(pid: u32, executing: &str) -> Vec<ModuleSeen> {
    let modules = modules(pid);
    let same = program(pid).is_some_and(|now| now == Path::new(executing));
    if same { modules } else { Vec::new() }
}

/// The modules in a process's map: every file that is mapped to be executed.
fn modules(pid: u32) -> Vec<ModuleSeen> {
    let Ok(map) = fs::read(format!("/proc/{pid}/maps")) else { return Vec::new() };
    modules_in_map(&map)
}

fn modules_in_map(map: &[u8]) -> Vec<ModuleSeen> {
    struct Mapped {
        first: u64,
        first_offset: u64,
        end: u64,
        executable: bool,
    }
    let mut files: BTreeMap<&[u8], Mapped> = BTreeMap::new();
    for line in map.split(|byte| *byte == b'\n') {
        let Some((range, permissions, offset, path)) = split(line) else { continue };
        let executable = permissions.get(2) == Some(&b'x');
        files
            .entry(path)
            .and_modify(|mapped| {
                mapped.end = mapped.end.max(range.1);
                mapped.executable |= executable;
            })
            .or_insert(Mapped { first: range.0, first_offset: offset, end: range.1, executable });
    }
    files
        .into_iter()
        .filter(|(_, mapped)| mapped.executable && mapped.first_offset == 0)
        .map(|(path, mapped)| ModuleSeen {
            path: path.to_vec(),
            load_bias: mapped.first.wrapping_sub(first_address(path)),
            start: mapped.first,
            end: mapped.end,
        })
        .collect()
}

/// `7f00-7f10 r-xp 00000000 fe:00 1234    /path`: range, permissions, offset and path.
type MapLine<'a> = ((u64, u64), &'a [u8], u64, &'a [u8]);

fn split(line: &[u8]) -> Option<MapLine<'_>> {
    let path_at = line.iter().position(|byte| *byte == b'/')?;
    let (fields, path) = line.split_at(path_at);
    let fields = std::str::from_utf8(fields).ok()?;
    let mut fields = fields.split_whitespace();
    let (first, end) = fields.next()?.split_once('-')?;
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    let range = (hexadecimal(first)?, hexadecimal(end)?);
    let permissions = fields.next()?.as_bytes();
    let offset = hexadecimal(fields.next()?)?;
    if path.ends_with(b" (deleted)") || path.starts_with(b"/dev/") || path.starts_with(b"/memfd:") {
        return None;
    }
    Some((range, permissions, offset, path))
}

/// The address that an ELF file gives its first segment: 0 but for programs with a fixed place.
fn first_address(path: &[u8]) -> u64 {
    use std::io::Read;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
    let mut start = Vec::new();
    let Ok(file) = fs::File::open(path) else { return 0 };
    if file.take(4096).read_to_end(&mut start).is_err() {
        return 0;
    }
    unfreed_symbols::first_load_address(&start).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_gives_each_executable_file_once() {
        let map = b"55d0-55d4 r--p 00000000 fe:00 11   /usr/sbin/x y\n\
                    55d4-55e0 r-xp 00004000 fe:00 11   /usr/sbin/x y\n\
                    5600-5700 rw-p 00000000 00:00 0    [heap]\n\
                    7f00-7f10 r--p 00000000 fe:00 12   /usr/share/locale.mo\n\
                    7f20-7f30 r-xp 00000000 fe:00 13   /tmp/gone.so (deleted)\n";
        let modules = modules_in_map(map);
        assert_eq!(modules.len(), 1);
        assert_eq!(modules[0].path, b"/usr/sbin/x y");
        assert_eq!((modules[0].start, modules[0].end), (0x55d0, 0x55e0));
    }

    #[test]
    fn a_process_lives_as_long_as_one_of_its_threads() {
        let stat = |state: &str, threads: u32| {
            format!("12 (a) b) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {threads} 0")
                .into_bytes()
        };
        assert!(stat_is_alive(&stat("S", 1)));
        assert!(stat_is_alive(&stat("Z", 3)));
        assert!(!stat_is_alive(&stat("Z", 1)));
        assert!(!stat_is_alive(&stat("X", 0)));
        assert!(!stat_is_alive(b""));
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent(b"12 (a) R 7) S 345 1 1"), Some(345));
        assert_eq!(parent(b""), None);
    }
}
