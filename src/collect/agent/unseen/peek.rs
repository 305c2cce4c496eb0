//! Reads small pieces of another process's memory, many at once. What cannot be read is left out:
//! the process may be gone, or somebody else's.

use std::ffi::c_void;

/// A piece: where it begins, and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) address: u64,
    pub(super) bytes: usize,
}

/// Pieces of one call of the kernel, at most (`IOV_MAX`).
const AT_ONCE: usize = 1024;
/// Pieces that cannot be read before the others are given up.
const UNREADABLE_MOST: usize = 64;

/// The pieces in the same order, each whole or `None`.
pub(super) fn peek(pid: u32, pieces: &[Piece]) -> Vec<Option<Vec<u8>>> {
    let mut read: Vec<Option<Vec<u8>>> = vec![None; pieces.len()];
    let Ok(pid) = libc::pid_t::try_from(pid) else { return read };
    let (mut from, mut unreadable) = (0, 0);
    while from < pieces.len() && unreadable < UNREADABLE_MOST && pid > 0 {
        let some = &pieces[from..pieces.len().min(from + AT_ONCE)];
        let mut into = vec![0; some.iter().map(|piece| piece.bytes).sum()];
        let there: Vec<libc::iovec> = some
            .iter()
            .map(|piece| libc::iovec {
                iov_base: piece.address as *mut c_void,
                iov_len: piece.bytes,
            })
            .collect();
        let here = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
        // SAFETY: `here` is all of `into`; `there` is in the other process, where nothing is
        // written. Both lists live as long as the call.
        let got = unsafe {
            libc::process_vm_readv(pid, &here, 1, there.as_ptr(), there.len() as libc::c_ulong, 0)
        };
        let mut got = usize::try_from(got).unwrap_or(0);
        if got == 0 && !is_bad_address() {
            break;
        }
        let mut at = 0;
        let whole = some.iter().take_while(|piece| {
            let fits = piece.bytes <= got;
            got -= if fits { piece.bytes } else { 0 };
            fits
        });
        for (n, piece) in whole.enumerate() {
            read[from + n] = Some(into[at..at + piece.bytes].to_vec());
            at += piece.bytes;
        }
        let done = read[from..from + some.len()].iter().take_while(|piece| piece.is_some()).count();
        from += done;
        if done < some.len() {
            // This one is what stopped the kernel.
            from += 1;
            unreadable += 1;
        }
    }
    read
}

/// Whether the call before failed for a piece, and not for the process.
fn is_bad_address() -> bool {
    std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_read_around_what_cannot() {
        let text = *b"0123456789";
        let at =
            |offset: usize, bytes| Piece { address: text.as_ptr() as u64 + offset as u64, bytes };
        let nowhere = Piece { address: 8, bytes: 8 };
        let pieces = [nowhere, at(0, 3), nowhere, nowhere, at(3, 7), nowhere];
        let read = peek(std::process::id(), &pieces);
        let read: Vec<Option<&[u8]>> = read.iter().map(Option::as_deref).collect();
        assert_eq!(read, [None, Some(&b"012"[..]), None, None, Some(b"3456789"), None]);
        let many: Vec<Piece> = (0..2 * AT_ONCE + 1).map(|n| at(n % 10, 1)).collect();
        let read = peek(std::process::id(), &many);
        assert!(
            read.iter().enumerate().all(|(n, one)| one.as_deref() == Some(&text[n % 10..][..1]))
        );
        assert_eq!(peek(0, &[at(0, 1)]), [None]);
    }
}
