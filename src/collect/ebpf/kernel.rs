//! The kernel's interface for what `aya` 0.14 has no words for: a program that is put on many places of a file by one
//! link (`uprobe_multi`), and the replacing of an inner map. Every layout is the kernel's own, by `aya-obj`.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya_obj::Function;
use aya_obj::generated::{bpf_attach_type, bpf_attr, bpf_cmd, bpf_prog_type};

/// What the verifier says, at most.
const LOG: usize = 1 << 20;

fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attributes are whole and zero where nothing was set, and all they point to outlives
    // the call, as each caller below sees to.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, attributes, size_of::<bpf_attr>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn bpf_for_fd(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn zeroed() -> bpf_attr {
    // SAFETY: plain numbers and pointers, for which zero stands for nothing.
    unsafe { std::mem::zeroed() }
}

/// Gives the kernel the types of a program.
pub(super) fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    let mut attributes = zeroed();
    // SAFETY: the fields of this command.
    let of = unsafe { &mut attributes.__bindgen_anon_7 };
    of.btf = types.as_ptr() as u64;
    of.btf_size = u32::try_from(types.len()).unwrap_or(u32::MAX);
    bpf_for_fd(bpf_cmd::BPF_BTF_LOAD, &mut attributes)
}

/// Gives the kernel a program for probes that one link puts in many places.
///
/// # Errors
/// The kernel's; where its verifier has said something, with that.
pub(super) fn load_program(
    function: &Function,
    license: &CString,
    types: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let attempt = |log: &mut [u8]| {
        let mut attributes = zeroed();
        // SAFETY: the fields of this command.
        let of = unsafe { &mut attributes.__bindgen_anon_3 };
        of.prog_type = bpf_prog_type::BPF_PROG_TYPE_KPROBE as u32;
        of.expected_attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
        of.insns = function.instructions.as_ptr() as u64;
        of.insn_cnt = u32::try_from(function.instructions.len()).unwrap_or(u32::MAX);
        of.license = license.as_ptr() as u64;
        let (functions, lines) =
            (function.func_info.func_info_bytes(), function.line_info.line_info_bytes());
        if let Some(types) = types {
            of.prog_btf_fd = types.as_raw_fd().unsigned_abs();
            of.func_info = functions.as_ptr() as u64;
            of.func_info_cnt = u32::try_from(function.func_info.len()).unwrap_or(0);
            of.func_info_rec_size = u32::try_from(function.func_info_rec_size).unwrap_or(0);
            of.line_info = lines.as_ptr() as u64;
            of.line_info_cnt = u32::try_from(function.line_info.len()).unwrap_or(0);
            of.line_info_rec_size = u32::try_from(function.line_info_rec_size).unwrap_or(0);
        }
        if !log.is_empty() {
            of.log_level = 1;
            of.log_buf = log.as_mut_ptr() as u64;
            of.log_size = u32::try_from(log.len()).unwrap_or(0);
        }
        bpf_for_fd(bpf_cmd::BPF_PROG_LOAD, &mut attributes)
    };
    attempt(&mut []).or_else(|_| {
        let mut log = vec![0; LOG];
        attempt(&mut log).map_err(|error| {
            let said = log.split(|byte| *byte == 0).next().unwrap_or_default();
            let said = String::from_utf8_lossy(said);
            let last: Vec<&str> = said.lines().rev().take(12).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            io::Error::new(error.kind(), format!("{error}: {}", last.join(" / ")))
        })
    })
}

/// Places in a file, each with what the probe there is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) offsets: Vec<u64>,
    pub(super) cookies: Vec<u64>,
}

/// Puts a program on places of a file, for one process; until the link is closed.
pub(super) fn link(
    program: BorrowedFd<'_>,
    file: &Path,
    pid: u32,
    places: &Places,
    returns: bool,
) -> io::Result<OwnedFd> {
    let path = CString::new(file.as_os_str().as_bytes())?;
    let mut attributes = zeroed();
    // SAFETY: the fields of this command.
    let of = unsafe { &mut attributes.link_create };
    of.__bindgen_anon_1.prog_fd = program.as_raw_fd().unsigned_abs();
    of.attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
    // SAFETY: of these fields the ones for this type.
    let multi = unsafe { &mut of.__bindgen_anon_3.uprobe_multi };
    multi.path = path.as_ptr() as u64;
    multi.offsets = places.offsets.as_ptr() as u64;
    multi.cookies = places.cookies.as_ptr() as u64;
    multi.cnt = u32::try_from(places.offsets.len()).unwrap_or(0);
    multi.flags = u32::from(returns);
    multi.pid = pid;
    bpf_for_fd(bpf_cmd::BPF_LINK_CREATE, &mut attributes)
}

/// Whether one link can hold many places for all threads of a process. A kernel before 6.6 takes such a program and
/// refuses its first link; early kernels from 6.6 on take the link, and have the program see one thread of the process.
/// What is asked for can never be had: kernels tell by which of its faults they meet first.
pub(super) fn links_many(program: BorrowedFd<'_>) -> bool {
    let refusal = |pid| {
        let places = Places { offsets: vec![0], cookies: vec![0] };
        let made = link(program, Path::new("/"), pid, &places, false);
        made.err().and_then(|error| error.raw_os_error())
    };
    refusal(0) == Some(libc::EBADF) && refusal(u32::MAX) == Some(libc::EINVAL)
}

/// Makes a map of one entry and puts it into an outer one, in the place of the one that was there. The
/// outer map keeps it.
pub(super) fn replace_inner<T>(outer: BorrowedFd<'_>, index: u32, value: &T) -> io::Result<()> {
    let mut attributes = zeroed();
    // SAFETY: the fields of this command.
    let of = unsafe { &mut attributes.__bindgen_anon_1 };
    of.map_type = aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
    of.key_size = 4;
    of.value_size = u32::try_from(size_of::<T>()).unwrap_or(0);
    of.max_entries = 1;
    let inner = bpf_for_fd(bpf_cmd::BPF_MAP_CREATE, &mut attributes)?;
    let first = 0u32;
    update(inner.as_raw_fd(), &first, value)?;
    update(outer.as_raw_fd(), &index, &inner.as_raw_fd())
}

/// Empties an entry of an outer map.
pub(super) fn remove_inner(outer: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let mut attributes = zeroed();
    // SAFETY: the fields of this command.
    let of = unsafe { &mut attributes.__bindgen_anon_2 };
    of.map_fd = outer.as_raw_fd().unsigned_abs();
    of.key = &raw const index as u64;
    bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attributes).map(drop)
}

fn update<K, V>(map: RawFd, key: &K, value: &V) -> io::Result<()> {
    let mut attributes = zeroed();
    // SAFETY: the fields of this command.
    let of = unsafe { &mut attributes.__bindgen_anon_2 };
    of.map_fd = map.unsigned_abs();
    of.key = &raw const *key as u64;
    of.__bindgen_anon_1.value = &raw const *value as u64;
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
}

/// The memory of an array that may be mapped.
pub(super) fn map_array(array: BorrowedFd<'_>, bytes: usize) -> io::Result<memmap2::MmapMut> {
    let file = File::from(array.try_clone_to_owned()?);
    // SAFETY: the kernel keeps the array's size, and only the probe reads it, which checks what it finds.
    unsafe { memmap2::MmapOptions::new().len(bytes).map_mut(&file) }
}
