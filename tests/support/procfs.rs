//! What the kernel tells of other processes: their memory, their children, who listens on a port.
//! Reads `/proc` only; changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Resident bytes of a process (`VmRSS`); `None` where it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A process and everything below it, parents first.
pub fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc is mounted")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() {
        let of = family[next];
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// Every process whose working directory is this one or below it, with its program; needs the right to
/// look, as root has.
pub fn working_below(directory: &Path) -> Vec<(u32, PathBuf)> {
    fs::read_dir("/proc")
        .expect("/proc is mounted")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at.starts_with(directory))
        })
        .map(|pid| (pid, fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()))
        .collect()
}

/// The one process of this family that listens on a loopback TCP port.
pub fn listener(root: u32, port: u16) -> Option<u32> {
    let socket = format!("socket:[{}]", listening_inode(port)?);
    // The innermost holder: a launcher may have handed its child the descriptor.
    family(root).into_iter().rev().find(|pid| {
        fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
            descriptors.flatten().any(|entry| {
                fs::read_link(entry.path())
                    .is_ok_and(|target| target.as_os_str() == socket.as_str())
            })
        })
    })
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets too: count from the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The inode of the socket in state LISTEN (0A) on 127.0.0.1 or on every address.
fn listening_inode(port: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (address, hex_port) = fields.get(1)?.split_once(':')?;
        let ours = matches!(address, "0100007F" | "00000000")
            && u16::from_str_radix(hex_port, 16) == Ok(port)
            && *fields.get(3)? == "0A";
        if ours { fields.get(9)?.parse().ok() } else { None }
    })
}
