//! From what sessions deliver to events, and to a log if one is wanted: puts records in order, says what the images of traced
//! processes are as they are mapped, and hands everything to the one decoder. It calls no system, so that all of it
//! is tested with constructed deliveries.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use unfreed_symbols::ModuleIdentity;

use super::EtwError;
use super::log::Log;
use super::order::{Batch, One, Order};
use super::own;
use super::paths::Drives;
use crate::collect::sink::Sink;
use crate::event::{Address, Event, Fact, FactKind, Mark, Sample};
use crate::read::etl::image::Image;
use crate::read::etl::kind::Kind;
use crate::read::etl::process::ProcessRecord;
use crate::read::etl::record::{Record, Ticks, Width};
use crate::read::etl::{Live, decode};
use crate::read::{Fault, Offset};

/// Which session a batch comes from. Of one time, what is said of a process comes before what its heaps say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Lane {
    /// Processes and images.
    System = 0,
    /// Heaps.
    Heap = 1,
    /// What we say ourselves.
    Own = 2,
}

/// A session holds a buffer back for a second; so long another is waited for, in nanoseconds.
const WINDOW: u64 = 2_500_000_000;

/// The process that the kernel's images are told of.
const KERNEL: u32 = 0;

/// Says what the file of an image is.
pub type Identify<'a> = &'a mut dyn FnMut(&Path) -> ModuleIdentity;

/// The clock of the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What it showed as they began.
    pub first: u64,
    /// How much it counts in a second.
    pub hertz: u64,
}

/// Whose heaps are traced.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// By number.
    pub pids: BTreeSet<u32>,
    /// Whoever starts with one of these file names, in lower case.
    pub names: BTreeSet<String>,
}

/// What is made of deliveries.
pub struct Collector<'a> {
    order: Order,
    chain: Chain<'a>,
}

/// What each record goes through.
struct Chain<'a> {
    live: Live,
    log: Option<Log<File>>,
    drives: Drives,
    traced: Traced,
    described: BTreeSet<(u32, Address)>,
    identify: Identify<'a>,
    sink: &'a mut dyn Sink,
    /// Records that a session delivered.
    delivered: u64,
    events: Vec<Event>,
    /// A record that was changed, and those put before it.
    changed: Vec<u8>,
    before: Vec<u8>,
    failed: Option<io::Error>,
}

impl<'a> Collector<'a> {
    /// One for sessions with this clock.
    pub fn new(
        clock: Clock,
        traced: Traced,
        drives: Drives,
        log: Option<Log<File>>,
        identify: Identify<'a>,
        sink: &'a mut dyn Sink,
    ) -> Collector<'a> {
        let Clock { first, hertz } = clock;
        let window = u128::from(WINDOW) * u128::from(hertz) / 1_000_000_000;
        let chain = Chain {
            live: Live::new(Ticks(first), hertz),
            log,
            drives,
            traced,
            described: BTreeSet::new(),
            identify,
            sink,
            delivered: 0,
            events: Vec::new(),
            changed: Vec::new(),
            before: Vec::new(),
            failed: None,
        };
        Collector { order: Order::new(window as u64), chain }
    }

    /// Takes what a session delivered.
    pub fn put(&mut self, lane: Lane, batch: Batch) {
        if lane != Lane::Own {
            self.chain.delivered += batch.count() as u64;
        }
        self.order.put(lane as usize, batch);
    }

    /// Says something of our own: of a process, or of all with number 0.
    pub fn say(&mut self, pid: u32, now: u64, what: Said<'_>) {
        let stamp = own::Stamp { pid, time: now };
        let mut batch = Batch::default();
        batch.put(now, 0, |out| {
            match what {
                Said::Fact(fact) => own::fact(stamp, fact, out),
                Said::Sample(sample) => own::sample(stamp, sample, out),
                Said::Mark(mark) => own::mark(stamp, mark, out),
            }
            true
        });
        self.put(Lane::Own, batch);
    }

    /// Hands on what is in order by now.
    ///
    /// # Errors
    /// It could not be passed on.
    pub fn advance(&mut self, now: u64) -> Result<(), EtwError> {
        let Collector { order, chain } = self;
        order.take(now, &mut |one| chain.take(one));
        chain.failed.take().map_or(Ok(()), |error| Err(EtwError::Sink(error)))
    }

    /// The sessions lost so many records more than were told before.
    pub fn lost(&mut self, count: u64) {
        self.chain.live.lost(count);
    }

    /// A session ended by itself. What was seen of heaps until then is told, as cut short and with a loss.
    ///
    /// # Errors
    /// `why`, where nothing was seen of heaps.
    pub fn cut_short(&mut self, why: EtwError, now: u64) -> Result<(), EtwError> {
        if self.chain.live.tallies().heap == 0 {
            return Err(why);
        }
        tracing::warn!("{why}; what came until then is told");
        let fact = Fact {
            kind: FactKind::Capture,
            subject: "cut short".to_owned(),
            value: Some(why.to_string()),
        };
        self.say(0, now, Said::Fact(&fact));
        self.lost(1);
        Ok(())
    }

    /// Whose heaps are traced, those that came by name among them.
    pub fn traced(&self) -> &BTreeSet<u32> {
        &self.chain.traced.pids
    }

    /// Nothing comes any more: hands on the rest and ends the log. `lost` are all events and buffers that sessions lost.
    ///
    /// # Errors
    /// It could not be passed on; or nothing was seen in `seconds`, which is never told as "no leaks".
    pub fn finish(self, seconds: u64, lost: (u32, u32)) -> Result<Ended, EtwError> {
        let Collector { mut order, mut chain } = self;
        order.take_all(&mut |one| chain.take(one));
        let Chain { mut live, log, sink, delivered, mut events, failed, .. } = chain;
        if let Some(error) = failed {
            return Err(EtwError::Sink(error));
        }
        live.end(&mut events);
        events.iter().try_for_each(|event| sink.take(event)).map_err(EtwError::Sink)?;
        if let Some(mut log) = log {
            log.lost(lost.0, lost.1);
            log.finish().map_err(EtwError::Sink)?;
        }
        match (delivered, live.tallies().heap) {
            (0, _) => Err(EtwError::Silent { seconds }),
            (_, 0) => Err(EtwError::NoHeaps { seconds }),
            (records, heap) => Ok(Ended { faults: live.faults(), records, heap }),
        }
    }
}

/// Something of our own.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// A setting, or something of the machine.
    Fact(&'a Fact),
    /// A process's memory.
    Sample(Sample),
    /// A mark.
    Mark(&'a Mark),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Records that were delivered.
    pub records: u64,
    /// Those of heaps among them.
    pub heap: u64,
}

impl Chain<'_> {
    fn take(&mut self, one: One<'_>) {
        if self.failed.is_some() {
            return;
        }
        let (mut before, mut changed) =
            (std::mem::take(&mut self.before), std::mem::take(&mut self.changed));
        before.clear();
        changed.clear();
        let record = decode(Offset(0), one.processor, one.bytes);
        // What is no record is counted by the decoder.
        if record.is_none_or(|record| self.look(&record, one, &mut before, &mut changed)) {
            for record in own::each(&before) {
                self.pass(One { bytes: record, ..one });
            }
            let bytes = if changed.is_empty() { one.bytes } else { &changed };
            self.pass(One { bytes, ..one });
        }
        (self.before, self.changed) = (before, changed);
    }

    /// Looks at what a record says of processes and images; whether it is one of a traced process, or of none. Nobody is to find
    /// in a trace what else runs on a server, as whom and with which arguments.
    fn look(
        &mut self,
        record: &Record<'_>,
        one: One<'_>,
        before: &mut Vec<u8>,
        changed: &mut Vec<u8>,
    ) -> bool {
        match Kind::of(record) {
            kind @ (Kind::ProcessStart | Kind::ProcessFound | Kind::ProcessEnd) => {
                let Some(process) = ProcessRecord::read(record) else { return true };
                let traced = &mut self.traced;
                if kind == Kind::ProcessStart && traced.names.contains(&process.name.to_lowercase())
                {
                    traced.pids.insert(process.pid);
                }
                traced.pids.contains(&process.pid)
            }
            kind @ (Kind::ImageMapped | Kind::ImageUnmapped) => {
                let Some(image) = Image::read(record) else { return true };
                let Some(pid) = image.pid.or(record.process) else { return true };
                if pid != KERNEL && !self.traced.pids.contains(&pid) {
                    return false;
                }
                let path = self.drives.path(&image.path);
                if path != image.path {
                    change_path(record, one.bytes, &path, changed);
                }
                if kind == Kind::ImageUnmapped {
                    self.described.remove(&(pid, image.base));
                } else if pid != KERNEL && self.described.insert((pid, image.base)) {
                    self.describe(pid, &image, &path, one.time, before);
                }
                true
            }
            Kind::ThreadEnd | Kind::Passed => {
                // Records of threads begin with their process.
                let pid = record.payload.first_chunk().copied().map(u32::from_le_bytes);
                pid.is_none_or(|pid| self.traced.pids.contains(&pid))
            }
            _ => true,
        }
    }

    /// Says what an image's file is, if it is still the file that was mapped.
    fn describe(&mut self, pid: u32, image: &Image, path: &str, time: u64, out: &mut Vec<u8>) {
        let identity = (self.identify)(Path::new(path));
        let same = identity.pe.as_ref().is_some_and(|pe| {
            u64::from(pe.image_size) == image.size.0
                && (image.timestamp == 0 || image.timestamp == pe.timestamp)
        });
        if same {
            own::module(own::Stamp { pid, time }, image.base.0, &identity, out);
        }
    }

    fn pass(&mut self, one: One<'_>) {
        self.live.record(one.processor, one.bytes, &mut self.events);
        let mut result = Ok(());
        for event in self.events.drain(..) {
            result = result.and_then(|()| self.sink.take(&event));
        }
        if let Some(log) = &mut self.log {
            result = result.and_then(|()| log.record(one.processor, one.time, one.bytes));
        }
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }
}

/// Puts a record of an image behind `out` with another path. It has a header of the kernel's, whose size stands at 4, and of the
/// versions that Windows 7 and later log the path comes last.
fn change_path(record: &Record<'_>, bytes: &[u8], path: &str, out: &mut Vec<u8>) {
    let fixed = match record.width {
        Width::Bits32 => 44,
        Width::Bits64 => 56,
    };
    let size = bytes.get(4..).and_then(|rest| rest.first_chunk()).copied().map(u16::from_le_bytes);
    let Some(size) = size.map(usize::from).filter(|_| record.version >= 2) else { return };
    let header = size.saturating_sub(record.payload.len());
    let Some(kept) = bytes.get(..header + fixed).filter(|_| header == 32 || header == 24) else {
        return;
    };
    out.extend(kept);
    out.extend(path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    let Ok(size) = u16::try_from(out.len()) else { return out.clear() };
    if let Some(place) = out.get_mut(4..6) {
        place.copy_from_slice(&size.to_le_bytes());
    }
    out.resize(out.len().next_multiple_of(8), 0);
}
