//! Everything that calls Windows by hand: sessions, and what has to be known of processes. Safe types go in and come out; nothing
//! is decided here.

#![allow(unsafe_code, reason = "this is the one file that calls Windows")]

use std::ffi::c_void;
use std::mem::{self, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_BAD_LENGTH, ERROR_SUCCESS, FILETIME, GetLastError, HANDLE,
    INVALID_HANDLE_VALUE, MAX_PATH, WAIT_OBJECT_0,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation,
};
use windows_sys::Win32::Storage::FileSystem::QueryDosDeviceW;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, CloseTrace, ControlTraceW, EVENT_HEADER, EVENT_RECORD,
    EVENT_TRACE_CONTROL_QUERY, EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_LOGFILEW,
    EVENT_TRACE_PROPERTIES, OpenTraceW, PROCESS_TRACE_MODE_EVENT_RECORD,
    PROCESS_TRACE_MODE_RAW_TIMESTAMP, PROCESS_TRACE_MODE_REAL_TIME, PROCESSTRACE_HANDLE,
    ProcessTrace, StartTraceW,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::ProcessStatus::{
    K32EnumProcessModulesEx, K32GetMappedFileNameW, K32GetModuleFileNameExW,
    K32GetModuleInformation, K32GetProcessMemoryInfo, LIST_MODULES_ALL, MODULEINFO,
    PROCESS_MEMORY_COUNTERS, PROCESS_MEMORY_COUNTERS_EX,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetExitCodeProcess, GetProcessTimes, IsWow64Process, OpenProcess,
    OpenProcessToken, OpenThread, PROCESS_QUERY_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_VM_READ, ResumeThread, THREAD_SUSPEND_RESUME, WaitForSingleObject,
};

use super::delivered::{Delivered, HEADER};
use super::properties;

// On systems of 32 bits, too, where nothing of this could be run.
const _: () = assert!(size_of::<EVENT_TRACE_PROPERTIES>() == properties::LEN);
const _: () = assert!(size_of::<EVENT_HEADER>() == HEADER);
const _: () = assert!(
    mem::offset_of!(EVENT_TRACE_PROPERTIES, LogFileNameOffset) == properties::NAMES_SAID_AT
        && mem::offset_of!(EVENT_TRACE_PROPERTIES, LoggerNameOffset)
            == properties::NAMES_SAID_AT + 4
);

/// The longest path asked for, in characters.
const LONGEST: usize = 32 << 10;

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

/// A block of properties, which Windows writes into, on a multiple of eight bytes.
struct Block(Vec<u64>);

impl Block {
    /// The error is Windows' own number for one that is not as long as it says.
    fn of(bytes: &[u8]) -> Result<Block, u32> {
        let said = bytes.first_chunk().map(|said| u32::from_le_bytes(*said) as usize);
        if bytes.len() < properties::LEN || said != Some(bytes.len()) {
            return Err(ERROR_BAD_LENGTH);
        }
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        Ok(Block(words.collect()))
    }

    fn pointer(&mut self) -> *mut EVENT_TRACE_PROPERTIES {
        self.0.as_mut_ptr().cast()
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }
}

/// Starts a session; the error is Windows' own number.
pub fn start(name: &str, properties: &[u8]) -> Result<(), u32> {
    let (name, mut block) = (wide(name), Block::of(properties)?);
    let mut handle = CONTROLTRACE_HANDLE::default();
    // SAFETY: the name ends with a zero; the block is as long as it says itself and on a multiple of eight bytes.
    let code = unsafe { StartTraceW(&raw mut handle, name.as_ptr(), block.pointer()) };
    if code == ERROR_SUCCESS { Ok(()) } else { Err(code) }
}

/// Asks a session for its numbers: the block as Windows fills it in.
pub fn query(name: &str, properties: &[u8]) -> Result<Vec<u8>, u32> {
    control(name, properties, EVENT_TRACE_CONTROL_QUERY)
}

/// Stops a session: what it holds back is delivered. The block as Windows fills it in.
pub fn stop(name: &str, properties: &[u8]) -> Result<Vec<u8>, u32> {
    control(name, properties, EVENT_TRACE_CONTROL_STOP)
}

fn control(name: &str, properties: &[u8], what: u32) -> Result<Vec<u8>, u32> {
    let (name, mut block) = (wide(name), Block::of(properties)?);
    let none = CONTROLTRACE_HANDLE::default();
    // SAFETY: as in `start`; with no handle the session is found by its name.
    let code = unsafe { ControlTraceW(none, name.as_ptr(), block.pointer(), what) };
    if code == ERROR_SUCCESS { Ok(block.bytes()) } else { Err(code) }
}

/// Who takes what a session delivers.
pub trait Feed: Send {
    /// Takes a record.
    fn record(&mut self, delivered: Delivered<'_>);
    /// A buffer was delivered to its end.
    fn buffer(&mut self);
    /// A record could not be taken.
    fn lost(&mut self);
}

/// A session that can be heard.
pub struct Heard {
    handle: PROCESSTRACE_HANDLE,
    /// Where Windows' callbacks find who takes the records.
    feed: *mut Box<dyn Feed>,
}

// SAFETY: the pointer is to a value that may be sent, and that nobody else has.
unsafe impl Send for Heard {}

impl Heard {
    /// Begins to listen to a session.
    pub fn open(name: &str, feed: Box<dyn Feed>) -> Result<Heard, u32> {
        let mut name = wide(name);
        let feed = Box::into_raw(Box::new(feed));
        // SAFETY: all zeros is a value of this structure of numbers and pointers.
        let mut from: EVENT_TRACE_LOGFILEW = unsafe { mem::zeroed() };
        from.LoggerName = name.as_mut_ptr();
        from.Anonymous1.ProcessTraceMode = PROCESS_TRACE_MODE_EVENT_RECORD
            | PROCESS_TRACE_MODE_REAL_TIME
            | PROCESS_TRACE_MODE_RAW_TIMESTAMP;
        from.Anonymous2.EventRecordCallback = Some(record);
        from.BufferCallback = Some(buffer);
        from.Context = feed.cast();
        // SAFETY: the structure is filled in as documented, and the name outlives the call.
        let handle = unsafe { OpenTraceW(&raw mut from) };
        // INVALID_PROCESSTRACE_HANDLE: all bits of a pointer, whose upper half some versions leave 0.
        if handle.Value == u64::MAX || handle.Value == u64::from(u32::MAX) {
            // SAFETY: reads a number of this thread's.
            let code = unsafe { GetLastError() };
            // SAFETY: it was made above, and nobody was given it.
            drop(unsafe { Box::from_raw(feed) });
            return Err(code);
        }
        Ok(Heard { handle, feed })
    }

    /// Listens until the session is stopped; 0, or Windows' number for what went wrong.
    pub fn listen(self) -> u32 {
        // SAFETY: the handle is open; no times are asked for.
        unsafe { ProcessTrace(&raw const self.handle, 1, ptr::null(), ptr::null()) }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        // SAFETY: the handle was opened and is closed once; no callback runs now that `ProcessTrace` has returned.
        unsafe { CloseTrace(self.handle) };
        // SAFETY: it was made in `open`, and no callback comes any more.
        drop(unsafe { Box::from_raw(self.feed) });
    }
}

unsafe extern "system" fn record(record: *mut EVENT_RECORD) {
    // SAFETY: Windows hands in a whole record.
    let Some(record) = (unsafe { record.as_ref() }) else { return };
    // SAFETY: the context is what `open` gave; callbacks of a session come one after the other.
    let Some(feed) = (unsafe { record.UserContext.cast::<Box<dyn Feed>>().as_mut() }) else {
        return;
    };
    let header = (&raw const record.EventHeader).cast::<[u8; HEADER]>();
    let payload = match record.UserData.is_null() {
        true => &[][..],
        // SAFETY: so many bytes stand there while the callback runs.
        false => unsafe {
            std::slice::from_raw_parts(
                record.UserData.cast::<u8>().cast_const(),
                usize::from(record.UserDataLength),
            )
        },
    };
    // SAFETY: both forms of the number are plain bytes.
    let processor = unsafe { record.BufferContext.Anonymous.ProcessorIndex };
    // SAFETY: an `EVENT_HEADER` has 80 bytes without gaps.
    let header = unsafe { &*header };
    // A panic must not pass through Windows; it was told, and the record is lost.
    let taken = catch_unwind(AssertUnwindSafe(|| {
        feed.record(Delivered { header, processor, payload });
    }));
    if taken.is_err() {
        feed.lost();
    }
}

unsafe extern "system" fn buffer(from: *mut EVENT_TRACE_LOGFILEW) -> u32 {
    // SAFETY: Windows hands in the structure that `open` filled in; its context is ours.
    let feed =
        unsafe { from.as_ref().and_then(|from| from.Context.cast::<Box<dyn Feed>>().as_mut()) };
    if let Some(feed) = feed {
        let _ = catch_unwind(AssertUnwindSafe(|| feed.buffer()));
    }
    1
}

/// The clock of sessions: what it shows.
pub fn now() -> u64 {
    let mut count = 0;
    // SAFETY: writes a number.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    count.cast_unsigned()
}

/// How much it counts in a second.
pub fn hertz() -> u64 {
    let mut count = 0;
    // SAFETY: writes a number.
    unsafe { QueryPerformanceFrequency(&raw mut count) };
    count.cast_unsigned()
}

/// Milliseconds since the system was started.
pub fn since_boot() -> u64 {
    // SAFETY: asks for a number.
    unsafe { GetTickCount64() }
}

/// Something open that has to be closed.
struct Open(HANDLE);

impl Open {
    fn of(handle: HANDLE) -> Option<Open> {
        (!handle.is_null() && handle != INVALID_HANDLE_VALUE).then_some(Open(handle))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: it is open, ours, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

/// The processes that run: number and file name.
pub fn processes() -> Vec<(u32, String)> {
    let mut all = Vec::new();
    // SAFETY: takes numbers.
    let Some(list) = Open::of(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) }) else {
        return all;
    };
    // SAFETY: all zeros is a value of it.
    let mut entry: PROCESSENTRY32W = unsafe { mem::zeroed() };
    entry.dwSize = size_of::<PROCESSENTRY32W>() as u32;
    // SAFETY: the list is open and the entry says its size.
    let mut more = unsafe { Process32FirstW(list.0, &raw mut entry) };
    while more != 0 {
        all.push((entry.th32ProcessID, text(&entry.szExeFile)));
        // SAFETY: as above.
        more = unsafe { Process32NextW(list.0, &raw mut entry) };
    }
    all
}

/// Resumes the threads of a process that was created suspended; whether there was one.
pub fn resume(pid: u32) -> bool {
    // SAFETY: takes numbers.
    let Some(list) = Open::of(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) }) else {
        return false;
    };
    // SAFETY: all zeros is a value of it.
    let mut entry: THREADENTRY32 = unsafe { mem::zeroed() };
    entry.dwSize = size_of::<THREADENTRY32>() as u32;
    let mut resumed = false;
    // SAFETY: the list is open and the entry says its size.
    let mut more = unsafe { Thread32First(list.0, &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            // SAFETY: takes numbers.
            let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID) };
            if let Some(thread) = Open::of(thread) {
                // SAFETY: the thread is open for that.
                resumed |= unsafe { ResumeThread(thread.0) } != u32::MAX;
            }
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(list.0, &raw mut entry) };
    }
    resumed
}

/// A process that is looked at.
pub struct Seen {
    process: Open,
}

/// A module in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it begins.
    pub base: u64,
    /// How long it is.
    pub size: u64,
    /// Its file, as the system names it (`\Device\...`) where it does, else by its drive.
    pub path: String,
}

impl Seen {
    /// Opens a process to be looked at.
    pub fn open(pid: u32) -> Option<Seen> {
        let all = PROCESS_QUERY_INFORMATION | PROCESS_VM_READ | PROCESS_SYNCHRONIZE;
        let numbers = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
        // SAFETY: takes numbers.
        let whole = Open::of(unsafe { OpenProcess(all, 0, pid) });
        // A protected process shows its numbers only.
        // SAFETY: takes numbers.
        let some = || Open::of(unsafe { OpenProcess(numbers, 0, pid) });
        Some(Seen { process: whole.or_else(some)? })
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<i32> {
        // Not by its code: one that runs has 259, and so may one that ended.
        // SAFETY: the process is open for that; it is not waited for.
        if unsafe { WaitForSingleObject(self.process.0, 0) } != WAIT_OBJECT_0 {
            return None;
        }
        let mut code = 0;
        // SAFETY: the process is open; writes a number.
        let known = unsafe { GetExitCodeProcess(self.process.0, &raw mut code) } != 0;
        known.then_some(code.cast_signed())
    }

    /// When it began, as FILETIME; with its number it names a process for good.
    pub fn began(&self) -> Option<u64> {
        let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
        let (mut began, mut ended, mut kernel, mut user) = (none, none, none, none);
        // SAFETY: the process is open; writes four times.
        let known = unsafe {
            GetProcessTimes(
                self.process.0,
                &raw mut began,
                &raw mut ended,
                &raw mut kernel,
                &raw mut user,
            )
        } != 0;
        let time = u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime);
        known.then_some(time)
    }

    /// Its private bytes, and its working set; `None` for what is not told.
    pub fn memory(&self) -> (Option<u64>, Option<u64>) {
        // SAFETY: all zeros is a value of it.
        let mut counters: PROCESS_MEMORY_COUNTERS_EX = unsafe { mem::zeroed() };
        let size = size_of::<PROCESS_MEMORY_COUNTERS_EX>() as u32;
        counters.cb = size;
        let place = (&raw mut counters).cast::<PROCESS_MEMORY_COUNTERS>();
        // SAFETY: the process is open; the longer structure begins with the shorter, and its size is told.
        let known = unsafe { K32GetProcessMemoryInfo(self.process.0, place, size) } != 0;
        // No process has none: Wine, for one, leaves the first of them 0.
        let told = |bytes: usize| Some(bytes as u64).filter(|bytes| known && *bytes > 0);
        let private = told(counters.PrivateUsage).or(told(counters.PagefileUsage));
        (private, told(counters.WorkingSetSize))
    }

    /// Whether it is of 32 bits on a system of 64.
    pub fn is_narrow(&self) -> bool {
        let mut narrow = 0;
        // SAFETY: the process is open; writes a number.
        unsafe { IsWow64Process(self.process.0, &raw mut narrow) != 0 && narrow != 0 }
    }

    /// Its modules, 32-bit ones on a system of 64 bits among them.
    pub fn modules(&self) -> Vec<Listed> {
        let mut modules = vec![ptr::null_mut(); 4096];
        let size = (modules.len() * size_of::<HANDLE>()) as u32;
        let mut needed = 0;
        // SAFETY: the process is open, the room is as long as told; writes a number.
        let known = unsafe {
            K32EnumProcessModulesEx(
                self.process.0,
                modules.as_mut_ptr(),
                size,
                &raw mut needed,
                LIST_MODULES_ALL,
            )
        } != 0;
        if !known {
            return Vec::new();
        }
        modules.truncate(needed as usize / size_of::<HANDLE>());
        modules.into_iter().filter_map(|module| self.module(module)).collect()
    }

    fn module(&self, module: *mut c_void) -> Option<Listed> {
        let mut about = MaybeUninit::<MODULEINFO>::zeroed();
        let size = size_of::<MODULEINFO>() as u32;
        // SAFETY: the process is open, the room is as long as told.
        let known =
            unsafe { K32GetModuleInformation(self.process.0, module, about.as_mut_ptr(), size) }
                != 0;
        // SAFETY: all zeros is a value of it, if nothing was written.
        let about = unsafe { about.assume_init() };
        let mut path = vec![0u16; LONGEST];
        // SAFETY: the process is open, the room is as long as told.
        let mut len = unsafe {
            K32GetMappedFileNameW(self.process.0, module, path.as_mut_ptr(), LONGEST as u32)
        };
        if len == 0 {
            // SAFETY: as above.
            len = unsafe {
                K32GetModuleFileNameExW(self.process.0, module, path.as_mut_ptr(), LONGEST as u32)
            };
        }
        let path = text(path.get(..len as usize)?);
        let (base, size) = (about.lpBaseOfDll as u64, u64::from(about.SizeOfImage));
        (known && !path.is_empty()).then_some(Listed { base, size, path })
    }
}

/// The drives, with what the system calls them: `C:` and `\Device\HarddiskVolume2`.
pub fn drives() -> Vec<(String, String)> {
    let drives = ('A'..='Z').map(|letter| format!("{letter}:"));
    let named = drives.filter_map(|drive| {
        let mut target = vec![0u16; MAX_PATH as usize];
        let name = wide(&drive);
        // SAFETY: the name ends with a zero, the room is as long as told.
        let len = unsafe { QueryDosDeviceW(name.as_ptr(), target.as_mut_ptr(), MAX_PATH) };
        (len > 0).then(|| (drive, text(&target)))
    });
    named.collect()
}

/// Whether this process has an administrator's rights; `None` where that cannot be found out.
pub fn is_elevated() -> Option<bool> {
    let mut token = ptr::null_mut();
    // SAFETY: asks for our own token; writes a handle.
    let known = unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } != 0;
    let token = Open::of(token).filter(|_| known)?;
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let (size, mut written) = (size_of::<TOKEN_ELEVATION>() as u32, 0);
    // SAFETY: the token is open, the room is as long as told.
    let known = unsafe {
        GetTokenInformation(
            token.0,
            TokenElevation,
            (&raw mut elevation).cast(),
            size,
            &raw mut written,
        )
    } != 0;
    known.then_some(elevation.TokenIsElevated != 0)
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs on a thread that Windows makes for it.
unsafe extern "system" fn interrupt(what: u32) -> windows_sys::core::BOOL {
    INTERRUPTED.store(true, Ordering::Relaxed);
    // A console that is closed, a logoff or a shutdown ends the process as soon as this returns (and a few seconds later
    // in any case): till then the others put things back, and end it themselves.
    if matches!(what, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        return 1;
    }
    loop {
        std::thread::park();
    }
}

/// For as long as this lives Ctrl-C, Ctrl-Break and the console's closing are noted, and end nothing by themselves.
#[derive(Debug)]
pub struct Interrupts(());

impl Interrupts {
    /// Begins to note them.
    pub fn take() -> Interrupts {
        INTERRUPTED.store(false, Ordering::Relaxed);
        // SAFETY: the function only sets a flag and waits, and lives for ever.
        unsafe { SetConsoleCtrlHandler(Some(interrupt), 1) };
        Interrupts(())
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // SAFETY: takes away what was put there.
        unsafe { SetConsoleCtrlHandler(Some(interrupt), 0) };
    }
}

/// Whether one was noted.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Compares the golden blocks with the structures of Windows' headers.
#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::System::Console::CTRL_CLOSE_EVENT;

    #[test]
    fn a_console_that_is_closed_waits_for_whoever_puts_things_back() {
        let _interrupts = Interrupts::take();
        // SAFETY: it is given what Windows gives.
        let closing = std::thread::spawn(|| unsafe { interrupt(CTRL_CLOSE_EVENT) });
        while !interrupted() {
            std::thread::yield_now();
        }
        // One that returned would be over by and by.
        for _ in 0..1000 {
            std::thread::yield_now();
        }
        assert!(!closing.is_finished());
        // SAFETY: as above.
        assert_eq!(unsafe { interrupt(CTRL_C_EVENT) }, 1);
    }

    #[test]
    fn blocks_are_laid_out_as_the_structure_is() {
        assert_eq!(mem::offset_of!(EVENT_TRACE_PROPERTIES, BufferSize), 0x30);
        assert_eq!(mem::offset_of!(EVENT_TRACE_PROPERTIES, LogFileMode), 0x40);
        assert_eq!(mem::offset_of!(EVENT_TRACE_PROPERTIES, FlushTimer), 0x44);
        assert_eq!(mem::offset_of!(EVENT_TRACE_PROPERTIES, EnableFlags), 0x48);
        assert_eq!(
            mem::offset_of!(EVENT_TRACE_PROPERTIES, EventsLost),
            properties::at::EVENTS_LOST
        );
        let buffers = mem::offset_of!(EVENT_TRACE_PROPERTIES, LogBuffersLost);
        assert_eq!(buffers, properties::at::LOG_BUFFERS_LOST);
        let buffers = mem::offset_of!(EVENT_TRACE_PROPERTIES, RealTimeBuffersLost);
        assert_eq!(buffers, properties::at::REAL_TIME_BUFFERS_LOST);
    }

    #[test]
    fn a_block_that_is_not_as_long_as_it_says_goes_nowhere() {
        let good = properties::about("unfreed test").unwrap_or_default();
        assert!(Block::of(&good).is_ok());
        for bad in [&[][..], &good[..good.len() - 8], &good[..4], &[&good[..], &[0; 8]].concat()] {
            assert_eq!(start("unfreed test", bad), Err(ERROR_BAD_LENGTH));
            assert_eq!(stop("unfreed test", bad), Err(ERROR_BAD_LENGTH));
        }
    }

    #[test]
    fn a_delivered_header_is_laid_out_as_it_is_read() {
        use windows_sys::Win32::System::Diagnostics::Etw::EVENT_DESCRIPTOR;
        assert_eq!(mem::offset_of!(EVENT_HEADER, Flags), 4);
        assert_eq!(mem::offset_of!(EVENT_HEADER, ThreadId), 8);
        assert_eq!(mem::offset_of!(EVENT_HEADER, TimeStamp), 0x10);
        assert_eq!(mem::offset_of!(EVENT_HEADER, ProviderId), 0x18);
        let descriptor = mem::offset_of!(EVENT_HEADER, EventDescriptor);
        assert_eq!(descriptor + mem::offset_of!(EVENT_DESCRIPTOR, Version), 0x2a);
        assert_eq!(descriptor + mem::offset_of!(EVENT_DESCRIPTOR, Opcode), 0x2d);
        assert_eq!(mem::offset_of!(EVENT_HEADER, ActivityId), 0x40);
    }

    #[test]
    fn a_process_can_be_looked_at() {
        let pid = std::process::id();
        let name = std::env::current_exe().ok();
        let name =
            name.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
        let own = processes().into_iter().find(|(other, _)| *other == pid).map(|(_, name)| name);
        assert_eq!(own.as_deref(), name.as_deref());
        let seen = Seen::open(pid);
        assert!(seen.as_ref().is_some_and(|seen| seen.ended().is_none() && seen.began().is_some()));
        let (private, resident) = seen.as_ref().map(Seen::memory).unwrap_or_default();
        assert!(resident.is_some_and(|bytes| bytes > 1 << 20), "{resident:?}");
        // Wine does not tell it.
        assert!(private.is_none_or(|bytes| bytes > 1 << 20), "{private:?}");
        let modules = seen.map(|seen| seen.modules()).unwrap_or_default();
        let ntdll = modules.iter().find(|one| one.path.to_lowercase().ends_with(r"\ntdll.dll"));
        assert!(ntdll.is_some_and(|one| one.base > 0 && one.size > 0x1000), "{modules:?}");
        assert!(drives().iter().any(|(drive, _)| drive == "C:"));
        assert!(now() <= now() && hertz() > 0);
    }
}
