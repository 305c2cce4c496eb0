//! Which pages of a mapping the process has written to: only these can refer to a block. A program may have
//! reserved far more than it uses, and pages of a file that nobody changed are as they were built.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::maps::Mapping;

const AT_ONCE: usize = 1 << 15;

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
/// Of a file, or of memory that is shared.
const FILE: u64 = 1 << 61;

/// Bytes of a page.
pub(super) fn page() -> u64 {
    // SAFETY: asks for a constant.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096).max(4096)
}

/// The kernel's table of a process's pages.
pub(super) struct Pages {
    table: File,
}

impl Pages {
    pub(super) fn open(pid: u32) -> io::Result<Pages> {
        Ok(Pages { table: File::open(format!("/proc/{pid}/pagemap"))? })
    }

    /// Runs of addresses that were written to; the whole mapping where the kernel does not say. `None`
    /// when the time is over.
    pub(super) fn written(&self, mapping: &Mapping, deadline: Instant) -> Option<Vec<Range<u64>>> {
        let page = page();
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut entries = vec![0; AT_ONCE * 8];
        let mut at = mapping.start;
        while at < mapping.end {
            if Instant::now() >= deadline {
                return None;
            }
            let pages = ((mapping.end - at) / page).min(AT_ONCE as u64) as usize;
            let into = &mut entries[..pages * 8];
            if self.table.read_exact_at(into, at / page * 8).is_err() {
                runs.push(at..mapping.end);
                break;
            }
            for entry in into.chunks_exact(8) {
                let entry = entry.try_into().map_or(0, u64::from_le_bytes);
                let own = mapping.shared || entry & FILE == 0;
                if entry & (PRESENT | SWAPPED) != 0 && own {
                    match runs.last_mut() {
                        Some(last) if last.end == at => last.end += page,
                        _ => runs.push(at..at + page),
                    }
                }
                at += page;
            }
        }
        Some(runs)
    }
}
