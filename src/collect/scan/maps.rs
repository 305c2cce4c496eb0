//! What a process has mapped, as its `/proc` file lists it, and what each mapping is to a scan.

use std::fs;

/// The session's memory, as maps show it.
const SESSION: &[u8] = b"/memfd:unfreed-session";

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) is: Is,
    /// Whether what is written there is seen by others.
    pub(crate) shared: bool,
    /// Whether it can be written, and so hold blocks.
    pub(crate) writable: bool,
    /// Whether it has no file, though it seems to be a module's: `.bss`, or memory that the kernel made one
    /// with it.
    pub(crate) bare: bool,
    /// Whether what lies right below may not be read: a stack ends there.
    pub(crate) guarded: bool,
}

/// What a mapping is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// Data of a module: its path, and the mapping its file begins with.
    Module { path: Vec<u8>, base: u64 },
    /// What `brk` gave.
    Heap,
    /// The first thread's stack.
    Stack,
    /// Memory without a file, of whatever use.
    Anonymous,
    /// Nothing that could refer to a block: code, devices, files that others write, ours.
    Other,
}

impl Mapping {
    pub(crate) fn holds(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// The mappings of a process, in order of address; those that cannot be read are left out.
pub(super) fn mappings(pid: u32, agent: &str) -> Vec<Mapping> {
    fs::read(format!("/proc/{pid}/maps")).map_or_else(|_| Vec::new(), |map| parse(&map, agent))
}

fn parse(map: &[u8], agent: &str) -> Vec<Mapping> {
    tell(map.split(|byte| *byte == b'\n').filter_map(line_of), agent)
}

/// What mappings are, which come in order of address.
pub(crate) fn tell<'a>(lines: impl Iterator<Item = Line<'a>>, agent: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    // Where the file of the mapping before begins, which what lies behind it without a file belongs to.
    let mut module: Option<(Vec<u8>, u64)> = None;
    let mut end_of_module = 0;
    let mut end_of_guard = 0;
    for Line { start, end, permissions, path } in lines {
        let (shared, code) = (permissions[3] == b's', permissions[2] == b'x');
        let writable = permissions[1] == b'w';
        let mut bare = false;
        let is = if path.starts_with(b"/") && !shared && !is_of_memory(path) {
            let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
            let base = match &module {
                Some((of, base)) if of == path => *base,
                _ => start,
            };
            module = Some((path.to_vec(), base));
            end_of_module = end;
            if code && permissions[1] != b'w' || path.ends_with(agent.as_bytes()) {
                Is::Other
            } else {
                Is::Module { path: path.to_vec(), base }
            }
        } else if path.is_empty() && !shared && start == end_of_module && permissions[1] == b'w' {
            // What the file has no bytes of: `.bss`.
            end_of_module = 0;
            bare = true;
            match &module {
                Some((path, _)) if path.ends_with(agent.as_bytes()) => Is::Other,
                Some((path, base)) => Is::Module { path: path.clone(), base: *base },
                None => Is::Anonymous,
            }
        } else {
            what(path, code && permissions[1] != b'w')
        };
        if permissions[0] == b'r' {
            let guarded = end_of_guard == start;
            mappings.push(Mapping { start, end, is, shared, writable, bare, guarded });
        } else {
            end_of_guard = end;
        }
    }
    mappings
}

/// Whether what looks like a file's is nothing but memory.
pub(crate) fn is_of_memory(path: &[u8]) -> bool {
    let of_memory = [&b"/dev/zero"[..], b"/dev/shm/", b"/memfd:", b"/SYSV", b"/anon_hugepage"];
    of_memory.iter().any(|of| path.starts_with(of))
}

fn what(path: &[u8], code: bool) -> Is {
    match path {
        _ if code || path.starts_with(SESSION) => Is::Other,
        b"[heap]" => Is::Heap,
        b"[stack]" => Is::Stack,
        b"" => Is::Anonymous,
        _ if path.starts_with(b"[anon") => Is::Anonymous,
        _ if is_of_memory(path) => Is::Anonymous,
        _ => Is::Other,
    }
}

/// One mapping, as the kernel lists it.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// `rwxp`, or `s` at the end.
    pub(crate) permissions: [u8; 4],
    pub(crate) path: &'a [u8],
}

/// `7f00-7f10 rw-p 00000000 fe:00 1234    /path`.
fn line_of(line: &[u8]) -> Option<Line<'_>> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let permissions = fields.next()?.try_into().ok()?;
    let path = fields.nth(3).unwrap_or_default().trim_ascii_start();
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    Some(Line { start: hexadecimal(start)?, end: hexadecimal(end)?, permissions, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_module_without_a_file_is_its_own() {
        let map = b"1000-2000 r--p 00000000 fe:00 11   /lib/a b.so\n\
                    2000-3000 r-xp 00001000 fe:00 11   /lib/a b.so\n\
                    3000-4000 rw-p 00002000 fe:00 11   /lib/a b.so\n\
                    4000-5000 rw-p 00000000 00:00 0 \n\
                    5000-6000 rw-p 00000000 00:00 0 \n\
                    6000-7000 ---p 00000000 00:00 0 \n\
                    8000-9000 rw-p 00000000 00:00 0    [heap]\n\
                    9000-a000 rw-s 00000000 00:01 7    /memfd:unfreed-session (deleted)\n\
                    a000-b000 rw-p 00000000 fe:00 12   /x/agent.so\n\
                    b000-c000 rw-p 00000000 00:00 0 \n\
                    c000-d000 rw-s 00000000 fe:00 13   /var/db\n\
                    d000-e000 rw-p 00000000 00:0f 14   /anon_hugepage (deleted)\n";
        let module = Is::Module { path: b"/lib/a b.so".to_vec(), base: 0x1000 };
        let is: Vec<(u64, Is)> =
            parse(map, "agent.so").into_iter().map(|mapping| (mapping.start, mapping.is)).collect();
        assert_eq!(
            is,
            [
                (0x1000, module.clone()),
                (0x2000, Is::Other),
                (0x3000, module.clone()),
                (0x4000, module),
                (0x5000, Is::Anonymous),
                (0x8000, Is::Heap),
                (0x9000, Is::Other),
                (0xa000, Is::Other),
                (0xb000, Is::Other),
                (0xc000, Is::Other),
                (0xd000, Is::Anonymous),
            ]
        );
        let of = |which: fn(&Mapping) -> bool| -> Vec<u64> {
            parse(map, "agent.so").iter().filter(|it| which(it)).map(|it| it.start).collect()
        };
        assert_eq!(of(|it| it.bare), [0x4000, 0xb000]);
        assert_eq!(of(|it| !it.writable), [0x1000, 0x2000]);
        let guarded = b"1000-2000 ---p 00000000 00:00 0 \n2000-3000 rw-p 00000000 00:00 0 \n";
        assert!(parse(guarded, "agent.so")[0].guarded);
    }
}
