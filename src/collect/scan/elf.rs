//! How much thread-local storage the modules of a process have, from their headers as they are mapped.

use std::ops::Range;

use super::maps::{Is, Mapping};

const HEADER: usize = 4096;
const PT_TLS: u32 = 7;

/// Reads what it can of a range, and says how much.
type Read<'a> = &'a mut dyn FnMut(Range<u64>, &mut [u8]) -> usize;

/// The sum over all modules: at most so much lies beside a thread's pointer. What a module that was loaded late
/// has is a block of its own, mostly.
pub(crate) fn thread_local_bytes(mappings: &[Mapping], read: Read<'_>) -> u64 {
    let mut bases: Vec<u64> = mappings
        .iter()
        .filter_map(|mapping| match mapping.is {
            Is::Module { base, .. } => Some(base),
            _ => None,
        })
        .collect();
    bases.dedup();
    let mut buffer = [0; HEADER];
    let of = |base: u64| {
        let got = read(base..base.saturating_add(HEADER as u64), &mut buffer);
        storage(&buffer[..got]).unwrap_or(0)
    };
    bases.into_iter().map(of).fold(0, u64::saturating_add)
}

/// The size of the one segment of its kind, rounded up to its alignment.
fn storage(header: &[u8]) -> Option<u64> {
    if !header.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let u16_at = |at: usize| Some(u16::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let first = usize::try_from(u64_at(32)?).ok()?;
    let (size, count) = (usize::from(u16_at(54)?), usize::from(u16_at(56)?));
    (0..count).find_map(|n| {
        let at = first.checked_add(n * size)?;
        (u32_at(at)? == PT_TLS)
            .then(|| u64_at(at + 40)?.checked_next_multiple_of(u64_at(at + 48)?.max(1)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_has_no_storage() {
        assert_eq!(storage(b""), None);
        assert_eq!(storage(b"\x7fELF\x02 and then nothing"), None);
        let mut header = vec![0; 200];
        header[..5].copy_from_slice(b"\x7fELF\x02");
        (header[32], header[54], header[56], header[64]) = (64, 56, 1, 7);
        (header[104], header[112]) = (17, 16);
        assert_eq!(storage(&header), Some(32));
    }
}
