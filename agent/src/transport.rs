//! How a process that has just begun comes by the session's memory.
//!
//! `UNFREED_SESSION` holds `SIZE:PID:FD:SECRET:SOCKET`. A process of the same user opens the
//! collector's descriptor through `/proc`, which costs one system call more than a file would. One
//! that has become another user, or sees another `/proc`, cannot; it asks at the socket that lies
//! beside the agent, where whoever knows the secret is handed the descriptor. No file has to be
//! readable for others, none can be filled up by them, and a `closefrom` has nothing to close.
//!
//! Where the administrator of the machine has put the memory in a place of its own (a service that is
//! traced), the variable holds `SIZE:PATH`.
//!
//! What is opened is believed to be the session only after its name and its length were checked:
//! elsewhere that number of that process may be anything.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

use unfreed_wire::Session;

use crate::sys;

/// What a link to the session's memory reads as.
const LINK: &[u8] = b"/memfd:unfreed-session";

/// Bytes of the secret, in hexadecimal digits.
const SECRET: usize = 32;

/// The memory: its descriptor, which the caller closes, and its length.
pub(crate) struct Memory {
    pub(crate) fd: c_int,
    pub(crate) length: usize,
}

/// Opens the session that the variable's value names.
///
/// # Safety
/// `value` points to a string that ends with 0.
pub(crate) unsafe fn open(value: *const u8) -> Option<Memory> {
    // SAFETY: each step reads on to the next colon, or fails at the final 0.
    unsafe {
        let (length, at) = number(value).filter(|(length, _)| *length >= size_of::<Session>())?;
        if *at == b'/' {
            let fd = sys::open(at.cast(), sys::O_RDWR | sys::O_CLOEXEC | sys::O_NONBLOCK);
            return Some(Memory { fd, length })
                .filter(|memory| fd >= 0 && is_as_long(fd, memory.length));
        }
        let (pid, at) = number(at)?;
        let (fd, secret) = number(at)?;
        for n in 0..SECRET {
            if *secret.add(n) == 0 {
                return None;
            }
        }
        let path = (*secret.add(SECRET) == b':').then(|| secret.add(SECRET + 1))?;
        let fd = open_in_proc(pid, fd)
            .or_else(|| ask(secret, path))
            .filter(|fd| is_as_long(*fd, length))?;
        Some(Memory { fd, length })
    }
}

/// Closes a descriptor of another length: touching what is not there would end the program.
fn is_as_long(fd: c_int, length: usize) -> bool {
    // SAFETY: a descriptor of ours, at whose offset nobody looks.
    let fits = unsafe { sys::lseek(fd, 0, sys::SEEK_END) } == length as i64;
    if !fits {
        // SAFETY: ours.
        unsafe { sys::close(fd) };
    }
    fits
}

/// The decimal number at `at`, and what follows the colon behind it.
unsafe fn number(at: *const u8) -> Option<(usize, *const u8)> {
    let (mut at, mut value) = (at, 0usize);
    // SAFETY: reads up to the first byte that is no digit, at the latest the final 0.
    unsafe {
        while (*at).is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add((*at - b'0') as usize)?;
            at = at.add(1);
        }
        (*at == b':').then(|| (value, at.add(1)))
    }
}

fn open_in_proc(pid: usize, fd: usize) -> Option<c_int> {
    let mut path = [0u8; 64];
    let mut end = 0;
    for part in [&b"/proc/"[..], &digits(pid), b"/fd/", &digits(fd)] {
        for byte in part.iter().filter(|byte| **byte != 0) {
            *path.get_mut(end)? = *byte;
            end += 1;
        }
    }
    let path: *const c_char = path.as_ptr().cast();
    let mut link = [0u8; LINK.len()];
    // SAFETY: C strings, and as much room as is told.
    unsafe {
        let read = sys::readlink(path, link.as_mut_ptr().cast(), link.len());
        if read != LINK.len() as isize || link != LINK {
            return None;
        }
        let fd = sys::open(path, sys::O_RDWR | sys::O_CLOEXEC);
        (fd >= 0).then_some(fd)
    }
}

/// A number's digits, after zero bytes.
fn digits(mut number: usize) -> [u8; 20] {
    let mut text = [0; 20];
    for place in text.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text
}

/// Asks the collector for the descriptor. It answers at once, or is stopped, or has a long queue:
/// the program does not wait for longer than this.
const PATIENCE: [i64; 2] = [1, 0];

/// # Safety
/// `secret` has that many bytes, `path` ends with 0.
unsafe fn ask(secret: *const u8, path: *const u8) -> Option<c_int> {
    let mut address = sys::SocketAddress { family: sys::AF_UNIX, path: [0; 108] };
    // SAFETY: reads up to the final 0; the rest are calls with room for what they are told.
    unsafe {
        let mut length = 0;
        while *path.add(length) != 0 {
            *address.path.get_mut(length)? = *path.add(length);
            length += 1;
        }
        if length == 0 || length == address.path.len() {
            return None;
        }
        let socket = sys::socket(sys::AF_UNIX as c_int, sys::SOCK_STREAM_CLOEXEC, 0);
        if socket < 0 {
            return None;
        }
        for option in [sys::SO_RCVTIMEO, sys::SO_SNDTIMEO] {
            let size = size_of_val(&PATIENCE) as u32;
            sys::setsockopt(socket, sys::SOL_SOCKET, option, PATIENCE.as_ptr().cast(), size);
        }
        let reached = sys::connect(socket, &address, size_of::<sys::SocketAddress>() as u32) == 0
            && sys::send(socket, secret.cast(), SECRET, sys::MSG_NOSIGNAL) == SECRET as isize;
        let fd = if reached { receive(socket) } else { None };
        sys::close(socket);
        fd
    }
}

/// # Safety
/// `socket` is a connected socket.
unsafe fn receive(socket: c_int) -> Option<c_int> {
    let mut byte = 0u8;
    let mut piece = sys::Piece { start: (&raw mut byte).cast::<c_void>(), length: 1 };
    let mut handed = sys::Handed { length: 0, level: 0, kind: 0, fd: -1 };
    let mut message = sys::Message {
        name: null_mut(),
        name_length: 0,
        pieces: &mut piece,
        piece_count: 1,
        control: (&raw mut handed).cast(),
        control_length: size_of::<sys::Handed>(),
        flags: 0,
    };
    // SAFETY: everything pointed to outlives the call and is as long as it is told.
    let received = unsafe { sys::recvmsg(socket, &mut message, sys::MSG_CMSG_CLOEXEC) };
    let whole = core::mem::offset_of!(sys::Handed, fd) + size_of::<c_int>();
    let is_it = received == 1
        && message.control_length >= whole
        && handed.length == whole
        && handed.level == sys::SOL_SOCKET
        && handed.kind == sys::SCM_RIGHTS;
    (is_it && handed.fd >= 0).then_some(handed.fd)
}
