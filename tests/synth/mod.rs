//! A synthetic trace builder: traces as a story told in code, for tests of everything that
//! reads them. It encodes the format from `docs/trace-format.md` alone (`encode.rs`) and shares
//! neither code nor numbers with the library's writer, so that each checks the other.
//!
//! Events are told in any order, each at its time, and are sorted when the trace is built.
//! Stacks are lists of frames, innermost first: `Cdoexm.dll!CMailbox::Open` (a module and a
//! function; the trace carries the name) or `Cdoexm.dll+0x1234` (no name). Modules that were not
//! described are made up from their names. An epoch stands every 100 ms.
//!
//! ```ignore
//! let mut t = Synth::windows();
//! let inetinfo = t.process("Inetinfo.exe");
//! t.module(inetinfo, windows_module("Cdoexm.dll", "6.0.6617.47"));
//! t.leak(inetinfo, &["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open"], 260, 1000, 0.0..60.0);
//! t.mark(60.0, "mailboxes opened", Some(1000));
//! let bytes = t.build();
//! ```
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod encode;
mod lower;

use std::ops::Range;

use unfreed::event::*;
use unfreed_symbols::ModuleIdentity;

/// A trace in the making.
pub struct Synth {
    windows: bool,
    processes: Vec<String>,
    /// Modules by id; shared by all processes, as equal files are.
    modules: Vec<ModuleIdentity>,
    /// What happens, in the order told.
    tale: Vec<Told>,
    next_address: u64,
    end: f64,
}

/// One thing that happens.
#[derive(Clone)]
struct Told {
    time: Time,
    process: ProcessId,
    deed: Deed,
}

#[derive(Clone)]
enum Deed {
    Alloc {
        address: Address,
        size: u64,
        stack: Vec<String>,
        function: Function,
    },
    Free {
        address: Address,
        function: Function,
    },
    Realloc {
        old: Address,
        new: Address,
        size: u64,
        stack: Vec<String>,
    },
    /// Any other event, as it is.
    Other(What),
}

impl Synth {
    /// A trace of a Windows host: source `etw`.
    pub fn windows() -> Self {
        Self::new(true)
    }

    /// A trace of a Linux host: source `agent`.
    pub fn linux() -> Self {
        Self::new(false)
    }

    fn new(windows: bool) -> Self {
        Self {
            windows,
            processes: Vec::new(),
            modules: Vec::new(),
            tale: Vec::new(),
            next_address: 0x10_0000,
            end: 0.0,
        }
    }

    /// A process that was traced from its beginning; pids are 1000, 1001, ...
    pub fn process(&mut self, name: &str) -> ProcessId {
        self.add_process(name, true)
    }

    /// A process that ran before the trace began.
    pub fn running_process(&mut self, name: &str) -> ProcessId {
        self.add_process(name, false)
    }

    fn add_process(&mut self, name: &str, from_start: bool) -> ProcessId {
        let process = ProcessId(self.processes.len() as u32);
        self.processes.push(name.into());
        let what = What::Process(Box::new(Process {
            pid: 1000 + process.0,
            parent: 1,
            name: name.into(),
            command: vec![name.into()],
            from_start,
            sampled: None,
        }));
        self.tell(0.0, process, Deed::Other(what));
        process
    }

    /// Describes a module, and maps it into the process. See [`windows_module`], [`linux_module`].
    pub fn module(&mut self, process: ProcessId, identity: ModuleIdentity) -> &mut Self {
        let known = self.modules.iter().position(|known| known.name == identity.name);
        let id = known.unwrap_or(self.modules.len());
        if known.is_none() {
            self.modules.push(identity);
        } else {
            self.modules[id] = identity;
        }
        let what = lower::module(self, id);
        self.tell(0.0, process, Deed::Other(what))
    }

    /// An allocation at `seconds`; its address, which no other block of the trace has had.
    pub fn alloc(
        &mut self,
        seconds: f64,
        process: ProcessId,
        stack: &[&str],
        size: u64,
    ) -> Address {
        let address = Address(self.next_address);
        self.next_address += size.max(1).next_multiple_of(16) + 16;
        self.alloc_at(seconds, process, stack, size, address);
        address
    }

    /// An allocation at a given address.
    pub fn alloc_at(
        &mut self,
        seconds: f64,
        process: ProcessId,
        stack: &[&str],
        size: u64,
        address: Address,
    ) -> &mut Self {
        let function = if self.windows { Function::RtlAllocateHeap } else { Function::Malloc };
        self.alloc_by(seconds, process, stack, size, address, function)
    }

    /// An allocation at a given address by a given function.
    pub fn alloc_by(
        &mut self,
        seconds: f64,
        process: ProcessId,
        stack: &[&str],
        size: u64,
        address: Address,
        function: Function,
    ) -> &mut Self {
        let stack = owned(stack);
        self.tell(seconds, process, Deed::Alloc { address, size, stack, function })
    }

    /// A free at `seconds`.
    pub fn free(&mut self, seconds: f64, process: ProcessId, address: Address) -> &mut Self {
        let function = if self.windows { Function::RtlFreeHeap } else { Function::Free };
        self.tell(seconds, process, Deed::Free { address, function })
    }

    /// A realloc that moved the block, told as one event; the new address.
    pub fn realloc(
        &mut self,
        seconds: f64,
        process: ProcessId,
        stack: &[&str],
        old: Address,
        size: u64,
    ) -> Address {
        let new = Address(self.next_address);
        self.next_address += size.max(1).next_multiple_of(16) + 16;
        self.tell(seconds, process, Deed::Realloc { old, new, size, stack: owned(stack) });
        new
    }

    /// `count` blocks of `size` from one stack, evenly over the seconds, none of them freed.
    pub fn leak(
        &mut self,
        process: ProcessId,
        stack: &[&str],
        size: u64,
        count: u32,
        over: Range<f64>,
    ) -> Vec<Address> {
        evenly(count, &over).map(|at| self.alloc(at, process, stack, size)).collect()
    }

    /// As [`Synth::leak`], but each block is freed after `lifetime` seconds.
    pub fn churn(
        &mut self,
        process: ProcessId,
        stack: &[&str],
        size: u64,
        count: u32,
        over: Range<f64>,
        lifetime: f64,
    ) -> &mut Self {
        for at in evenly(count, &over) {
            let address = self.alloc(at, process, stack, size);
            self.free(at + lifetime, process, address);
        }
        self
    }

    /// A cache: `count` blocks by `full`, then one freed for each one allocated until the end.
    pub fn cache(
        &mut self,
        process: ProcessId,
        stack: &[&str],
        size: u64,
        count: u32,
        over: Range<f64>,
        full: f64,
    ) -> &mut Self {
        let filled = self.leak(process, stack, size, count, over.start..full);
        for (at, old) in evenly(count, &(full..over.end)).zip(filled) {
            self.free(at, process, old);
            self.alloc(at, process, stack, size);
        }
        self
    }

    /// A block that is allocated at `seconds`, and freed twice, a millisecond apart.
    pub fn double_free(&mut self, seconds: f64, process: ProcessId, stack: &[&str], size: u64) {
        let address = self.alloc(seconds, process, stack, size);
        self.free(seconds + 0.001, process, address);
        self.free(seconds + 0.002, process, address);
    }

    /// A mark of the user.
    pub fn mark(&mut self, seconds: f64, text: &str, count: Option<u64>) -> &mut Self {
        let what = What::Mark(Box::new(Mark { text: text.into(), count }));
        self.tell(seconds, ProcessId(0), Deed::Other(what))
    }

    /// A fact read on the target at the beginning; `None` states that it was looked for and is
    /// absent.
    pub fn fact(&mut self, kind: FactKind, subject: &str, value: Option<&str>) -> &mut Self {
        let value = value.map(Into::into);
        let what = What::Fact(Box::new(Fact { kind, subject: subject.into(), value }));
        self.tell(0.0, ProcessId(0), Deed::Other(what))
    }

    /// Any event without a stack, as it is.
    pub fn event(&mut self, seconds: f64, process: ProcessId, what: What) -> &mut Self {
        self.tell(seconds, process, Deed::Other(what))
    }

    /// An epoch beside those every 100 ms.
    pub fn epoch(&mut self, seconds: f64) -> &mut Self {
        self.tell(seconds, ProcessId(0), Deed::Other(What::Epoch))
    }

    /// Lets the trace last at least so long.
    pub fn lasts(&mut self, seconds: f64) -> &mut Self {
        self.end = self.end.max(seconds);
        self
    }

    /// The events, in the order in which the trace has them.
    pub fn events(&self) -> Vec<Event> {
        lower::events(self)
    }

    /// The trace file's bytes.
    pub fn build(&self) -> Vec<u8> {
        let source = if self.windows { "etw" } else { "agent" };
        encode::file(source, &self.events())
    }

    fn tell(&mut self, seconds: f64, process: ProcessId, deed: Deed) -> &mut Self {
        self.end = self.end.max(seconds);
        self.tale.push(Told { time: nanoseconds(seconds), process, deed });
        self
    }
}

/// A Windows module in the system directory.
pub fn windows_module(name: &str, file_version: &str) -> ModuleIdentity {
    ModuleIdentity {
        name: name.into(),
        path: format!("C:\\WINNT\\system32\\{name}"),
        file_version: Some(file_version.into()),
        ..ModuleIdentity::default()
    }
}

/// A Linux module without package or build-id.
pub fn linux_module(name: &str) -> ModuleIdentity {
    ModuleIdentity {
        name: name.into(),
        path: format!("/usr/lib/x86_64-linux-gnu/{name}"),
        soname: name.contains(".so").then(|| name.into()),
        ..ModuleIdentity::default()
    }
}

fn owned(stack: &[&str]) -> Vec<String> {
    stack.iter().map(|frame| (*frame).into()).collect()
}

fn nanoseconds(seconds: f64) -> Time {
    Time((seconds * 1e9).round() as u64)
}

fn evenly(count: u32, over: &Range<f64>) -> impl Iterator<Item = f64> + use<> {
    let (start, step) = (over.start, (over.end - over.start) / f64::from(count.max(1)));
    (0..count).map(move |n| start + step * f64::from(n))
}
