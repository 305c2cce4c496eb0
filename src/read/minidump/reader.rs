//! The reader: a dump is read whole, up to a bound, and becomes one batch of events at time 0.

use std::collections::BTreeMap;
use std::io::Read;

use minidump::system_info::Os;
use minidump::{
    Error, Minidump, MinidumpException, MinidumpMemoryInfoList, MinidumpMiscInfo, MinidumpModule,
    MinidumpModuleList, MinidumpSystemInfo, MinidumpThreadList, Module as _, UnifiedMemory,
};
use tracing::subscriber::{NoSubscriber, with_default};

use super::modules::identity;
use super::stack::{Walked, walk};
use crate::event::{
    Address, Bytes, Event, Exception, Exit, Fact, FactKind, Frame, Metric, Module, ModuleId,
    Process, ProcessId, Sample, StackId, StackNode, Tid, Time, Trust, What,
};
use crate::read::trace::{Clock, Header};
use crate::read::{Fault, Faults, Offset, ReadError, Source};

/// The most that is read of a dump. Full ones have their modules and threads in front, and all memory behind.
const MOST: u64 = 512 << 20;
/// A region that is committed, and one that is neither reserved nor committed.
const COMMITTED: u32 = 0x1000;
const FREE: u32 = 0x1_0000;
/// A region of private memory.
const PRIVATE: u32 = 0x2_0000;

/// Reads a minidump.
#[derive(Debug)]
pub struct Reader {
    header: Header,
    faults: Faults,
    events: Vec<Event>,
}

impl Reader {
    /// Reads it.
    ///
    /// # Errors
    /// It is no minidump or not even its directory can be read; or reading failed.
    pub fn new(stream: impl Read) -> Result<Self, ReadError> {
        let mut bytes = Vec::new();
        let read = stream.take(MOST).read_to_end(&mut bytes);
        read.map_err(|source| ReadError::Io { offset: Offset(bytes.len() as u64), source })?;
        // What the crate has to say of damage would go to the user unasked; the faults say it.
        with_default(NoSubscriber::default(), || Self::of(&bytes))
    }

    fn of(bytes: &[u8]) -> Result<Self, ReadError> {
        let dump = Minidump::read(bytes).map_err(|error| ReadError::Unreadable {
            offset: Offset(0),
            what: format!("the minidump is damaged and cannot be read ({error})"),
        })?;
        let started = i64::from(dump.header.time_date_stamp) * 1_000_000_000;
        let clock = Clock { name: "the dump's moment".to_owned(), hertz: None };
        let header = Header {
            source: "minidump".to_owned(),
            started_unix_ns: started,
            clock,
            ..Header::default()
        };
        let mut telling =
            Telling { dump: &dump, faults: Faults::default(), events: Vec::new(), nodes: 0 };
        if !telling.all() {
            let what = "the minidump has no system, modules or threads that can be read: it is damaged, or was not \
                        written to its end";
            return Err(ReadError::Unreadable { offset: Offset(0), what: what.to_owned() });
        }
        let Telling { mut faults, events, .. } = telling;
        if bytes.len() as u64 == MOST {
            faults.add(
                Offset(MOST),
                "the dump is larger than is read: memory behind this place was not looked at",
            );
        }
        Ok(Reader { header, faults, events })
    }
}

impl Source for Reader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        events.append(&mut self.events);
        Ok(!events.is_empty())
    }

    fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }
}

/// Turns a dump into events.
struct Telling<'d> {
    dump: &'d Minidump<'d, &'d [u8]>,
    faults: Faults,
    events: Vec<Event>,
    nodes: u32,
}

impl Telling<'_> {
    /// Tells all there is; false where there is next to nothing.
    fn all(&mut self) -> bool {
        let dump = self.dump;
        let system = self.part(dump.get_stream::<MinidumpSystemInfo>(), "system");
        let modules = self.part(dump.get_stream::<MinidumpModuleList>(), "list of modules");
        let misc = dump.get_stream::<MinidumpMiscInfo>().ok();
        let threads = self.part(dump.get_stream::<MinidumpThreadList>(), "list of threads");
        if system.is_none() && modules.is_none() && threads.is_none() {
            return false;
        }
        let modules = modules.unwrap_or_default();
        let main = modules.iter().next().map(|module| name(&module.code_file()).to_owned());
        let process = Process {
            pid: misc.as_ref().and_then(|misc| misc.raw.process_id()).copied().unwrap_or(0),
            name: main.unwrap_or_default(),
            ..Process::default()
        };
        let (pid, program) = (process.pid, process.name.clone());
        self.tell(0, What::Process(Box::new(process)));
        let os = system.as_ref().map_or(Os::Windows, |system| system.os);
        if let Some(system) = &system {
            self.tell(0, What::Fact(Box::new(self::system(system))));
        }
        let ids = self.modules(&modules, os);
        for module in modules
            .iter()
            .filter(|module| name(&module.code_file()).eq_ignore_ascii_case("LeakTrack.dll"))
        {
            let fact = Fact {
                kind: FactKind::NotTraced,
                subject: format!("{} in {program} ({pid})", name(&module.code_file())),
                value: Some(
                    "DebugDiag's leak tracking was on: what it recorded is in the dump in no public format and cannot be \
                     read here; let DebugDiag itself analyse the dump for that"
                        .to_owned(),
                ),
            };
            self.tell(0, What::Fact(Box::new(fact)));
        }
        if let Some(threads) = &threads {
            self.measured(Metric::Threads, threads.threads.len() as u64);
        }
        self.memory();
        if let Some(system) = &system {
            self.crash(system, misc.as_ref(), threads.as_ref(), &modules, &ids);
        }
        // It ran when the dump was written; whether it went on is not in it.
        self.tell(0, What::ProcessExit(Exit::StillRunning));
        self.tell(0, What::Epoch);
        true
    }

    /// A part of the dump; a fault where it is damaged or missing.
    fn part<T>(&mut self, part: Result<T, Error>, what: &str) -> Option<T> {
        part.map_err(|error| {
            let what = match error {
                Error::StreamNotFound => format!("the dump has no {what}"),
                error => format!("the dump's {what} cannot be read ({error})"),
            };
            self.faults.add(Offset(0), what);
        })
        .ok()
    }

    fn modules(&mut self, modules: &MinidumpModuleList, os: Os) -> BTreeMap<u64, ModuleId> {
        let mut ids = BTreeMap::new();
        for (number, module) in (0..).zip(modules.iter()) {
            let id = ModuleId(number);
            ids.insert(module.base_address(), id);
            let module = Module {
                id,
                identity: identity(module, os),
                base: Address(module.base_address()),
                size: Bytes(module.size()),
            };
            self.tell(0, What::Module(Box::new(module)));
        }
        ids
    }

    /// Private bytes as Windows counts them, and the addresses in use, where the dump lists them.
    fn memory(&mut self) {
        let Ok(list) = self.dump.get_stream::<MinidumpMemoryInfoList>() else { return };
        let sum = |of: fn(u32, u32) -> bool| {
            let regions = list.iter().filter(|region| of(region.raw.state, region.raw._type));
            regions.fold(0u64, |sum, region| sum.saturating_add(region.raw.region_size))
        };
        let private = sum(|state, kind| state == COMMITTED && kind == PRIVATE);
        let used = sum(|state, _| state != FREE);
        self.measured(Metric::PrivateBytes, private);
        self.measured(Metric::VirtualBytes, used);
    }

    /// The exception, with its stack.
    fn crash(
        &mut self,
        system: &MinidumpSystemInfo,
        misc: Option<&MinidumpMiscInfo>,
        threads: Option<&MinidumpThreadList<'_>>,
        modules: &MinidumpModuleList,
        ids: &BTreeMap<u64, ModuleId>,
    ) {
        let dump = self.dump;
        let exception = match dump.get_stream::<MinidumpException>() {
            // A dump that was asked for has none.
            Err(Error::StreamNotFound) => return,
            exception => exception,
        };
        let Some(exception) = self.part(exception, "exception") else { return };
        let record = &exception.raw.exception_record;
        let thread = exception.get_crashing_thread_id();
        let narrow = system.cpu.pointer_width() == minidump::system_info::PointerWidth::Bits32;
        let address =
            if narrow { record.exception_address & 0xffff_ffff } else { record.exception_address };
        let memory = dump.get_memory().unwrap_or_default();
        let stack = threads.and_then(|threads| threads.get_thread(thread)?.stack_memory(&memory));
        let stack = match &stack {
            Some(UnifiedMemory::Memory(memory)) => Some((memory.base_address, memory.bytes)),
            Some(UnifiedMemory::Memory64(memory)) => Some((memory.base_address, memory.bytes)),
            None => None,
        };
        let is_code = |address| modules.module_at_address(address).is_some();
        let walked = match exception.context(system, misc) {
            Some(context) => walk(&context, stack, is_code),
            None => Walked { instruction: address, returns: Vec::new() },
        };
        // Functions without a frame pointer are missing in the chain with no trace, so no stack is whole.
        let mut caller = StackId::TRUNCATED;
        let returns = walked.returns.iter().rev().map(|address| (*address, Trust::FramePointer));
        for (address, trust) in returns.chain([(walked.instruction, Trust::Context)]) {
            let module = modules.module_at_address(address);
            let base = module.map_or(0, MinidumpModule::base_address);
            let module = module.and_then(|module| ids.get(&module.base_address()).copied());
            let frame = Frame { module, offset: address.wrapping_sub(base), trust };
            self.tell(thread, What::Stack(StackNode { caller, frame }));
            caller = StackId(StackId::FIRST.0 + self.nodes);
            self.nodes += 1;
        }
        // A runtime that raises one by itself leaves the record's address empty.
        let address = if address == 0 { walked.instruction } else { address };
        let exception =
            Exception { code: record.exception_code, address: Address(address), stack: caller };
        self.tell(thread, What::Exception(exception));
    }

    fn tell(&mut self, thread: u32, what: What) {
        self.events.push(Event { time: Time(0), process: ProcessId(0), thread: Tid(thread), what });
    }

    fn measured(&mut self, metric: Metric, value: u64) {
        self.tell(0, What::Sample(Sample { metric, value }));
    }
}

/// A path's last part; both kinds of separator are known.
fn name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The system that the process ran on.
fn system(system: &MinidumpSystemInfo) -> Fact {
    let (version, build) = system.os_parts();
    let build = build.map(|build| format!(" {build}")).unwrap_or_default();
    let value = Some(format!("{version}{build}, {}", system.cpu));
    Fact { kind: FactKind::System, subject: system.os.to_string(), value }
}
