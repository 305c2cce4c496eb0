//! All records: an event to bytes and back. Allocations and frees go their own way (`hot.rs`);
//! every other record carries its length, so that a reader passes over kinds it does not know.

use super::cursor::{Cursor, Skip};
use super::hot::{self, Stamp, State};
use super::sink::Sink;
use super::stack_ids::StackIds;
use super::tags::{cold, hot::HOT};
use super::{counted, reach, stack, target};
use crate::event::{Address, Event, HeapId, Time, What};

/// Turns the events of one chunk into bytes.
#[derive(Default)]
pub(super) struct Encoder {
    sink: Sink,
    /// The body of one record, until its length is known.
    body: Sink,
    state: State,
    /// Strings and lists that were cut, in all chunks.
    pub cut: u64,
}

impl Encoder {
    /// Begins a chunk.
    pub fn begin(&mut self, base: Time) {
        self.sink.clear();
        self.state = State::at(base);
    }

    /// The chunk so far.
    pub fn bytes(&self) -> &[u8] {
        self.sink.as_slice()
    }

    /// Adds a record.
    ///
    /// ```text
    /// tag       0 c k k k k k k   k: kind
    /// c   process: varint, thread: varint
    ///     time: varint, since the record before (modulo 2^64)
    ///     n: varint
    ///     n bytes: the body, by kind
    /// ```
    #[inline]
    pub fn event(&mut self, event: &Event) {
        let stamp = Stamp { time: event.time, process: event.process, thread: event.thread };
        match &event.what {
            What::Alloc(alloc) => hot::put_alloc(&mut self.sink, &mut self.state, stamp, alloc),
            What::Free(free) => hot::put_free(&mut self.sink, &mut self.state, stamp, free),
            what => self.cold(stamp, what),
        }
    }

    fn cold(&mut self, stamp: Stamp, what: &What) {
        let (sink, body, state) = (&mut self.sink, &mut self.body, &mut self.state);
        body.clear();
        let kind = put_body(body, state, what);
        let context = stamp.process != state.process || stamp.thread != state.thread;
        sink.byte(kind | if context { cold::CONTEXT } else { 0 });
        if context {
            hot::put_context(sink, state, stamp);
        }
        sink.varint(stamp.time.0.wrapping_sub(state.time.0));
        state.time = stamp.time;
        sink.varint(body.len() as u64);
        sink.slice(body.as_slice());
        self.cut += std::mem::take(&mut body.cut);
    }
}

/// Writes the body of anything but an allocation or a free; its kind.
fn put_body(body: &mut Sink, state: &mut State, what: &What) -> u8 {
    match what {
        // Both have records of their own.
        What::Alloc(_) | What::Free(_) => 0,
        What::Realloc(realloc) => {
            stack::put_realloc(body, state, realloc);
            cold::REALLOC
        }
        What::Stack(node) => {
            stack::put_node(body, node);
            cold::STACK
        }
        What::Module(module) => {
            target::put_module(body, module);
            cold::MODULE
        }
        What::ModuleUnload(base) => {
            body.varint(base.0);
            cold::MODULE_UNLOAD
        }
        What::Process(process) => {
            target::put_process(body, process);
            cold::PROCESS
        }
        What::ProcessExit(exit) => {
            target::put_exit(body, *exit);
            cold::PROCESS_EXIT
        }
        What::Thread(name) => {
            body.str(name);
            cold::THREAD
        }
        What::ThreadExit => cold::THREAD_EXIT,
        What::HeapCreate(create) => {
            stack::put_heap(body, create);
            cold::HEAP_CREATE
        }
        What::HeapDestroy(heap) => {
            body.varint(heap.0);
            cold::HEAP_DESTROY
        }
        What::Loss(loss) => {
            counted::put_loss(body, *loss);
            cold::LOSS
        }
        What::Mark(mark) => {
            counted::put_mark(body, mark);
            cold::MARK
        }
        What::Tally(tally) => {
            counted::put_tally(body, tally);
            cold::TALLY
        }
        What::Snapshot(snapshot) => {
            counted::put_snapshot(body, snapshot);
            cold::SNAPSHOT
        }
        What::Sample(sample) => {
            counted::put_sample(body, *sample);
            cold::SAMPLE
        }
        What::Fact(fact) => {
            target::put_fact(body, fact);
            cold::FACT
        }
        What::Epoch => cold::EPOCH,
        What::Name(name) => {
            stack::put_name(body, name);
            cold::NAME
        }
        What::FreedBefore(before) => {
            stack::put_freed_before(body, before);
            cold::FREED_BEFORE
        }
        What::Scan(scan) => {
            reach::put_scan(body, scan);
            cold::SCAN
        }
        What::Reach(found) => {
            reach::put_reach(body, found);
            cold::REACH
        }
        What::Exception(exception) => {
            stack::put_exception(body, exception);
            cold::EXCEPTION
        }
    }
}

/// What a chunk's records could not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Untold {
    /// Records that do not follow the format, those behind them that could no longer be found
    /// included.
    pub malformed: u64,
    /// Records of kinds, or with codes, that a later version defined; they were passed over.
    pub newer: u64,
    /// Codes that a later version defined; the rest of their records was read.
    pub codes: u64,
    /// Bytes behind the last record.
    pub trailing: bool,
}

/// Reads the `count` records of a chunk, of which `plain` holds the first `len` bytes and
/// padding. Appends the events to `events`.
pub(super) fn decode(
    plain: &[u8],
    len: usize,
    base: Time,
    count: u32,
    stacks: &mut StackIds,
    events: &mut Vec<Event>,
) -> Untold {
    let mut cursor = Cursor::new(plain, len);
    let mut state = State::at(base);
    let mut untold = Untold::default();
    // The shortest record has three bytes.
    events.reserve((count as usize).min(len / 3 + 1));
    for done in 0..count {
        match record(&mut cursor, &mut state, stacks, events) {
            Ok(Told::Yes) => {}
            Ok(Told::No(Skip::Newer)) => untold.newer += 1,
            Ok(Told::No(Skip::Malformed)) => untold.malformed += 1,
            Err(_) => {
                untold.malformed += u64::from(count - done);
                return untold;
            }
        }
    }
    untold.codes = cursor.unknown_codes;
    untold.trailing = !cursor.at_end();
    untold
}

/// Whether a record was told; the next one can be found either way.
enum Told {
    Yes,
    No(Skip),
}

/// Reads one record and appends it. The error says that the next record cannot be found.
#[inline]
fn record(
    cursor: &mut Cursor<'_>,
    state: &mut State,
    stacks: &mut StackIds,
    events: &mut Vec<Event>,
) -> Result<Told, Skip> {
    let tag = cursor.byte()?;
    if tag & HOT != 0 {
        hot::take(tag, cursor, state, stacks, events).map(|()| Told::Yes)
    } else {
        cold_record(tag, cursor, state, stacks, events)
    }
}

#[inline(never)]
fn cold_record(
    tag: u8,
    cursor: &mut Cursor<'_>,
    state: &mut State,
    stacks: &mut StackIds,
    events: &mut Vec<Event>,
) -> Result<Told, Skip> {
    let kind = tag & cold::KIND;
    if kind == 0 {
        return Err(Skip::Malformed);
    }
    if tag & cold::CONTEXT != 0 {
        hot::take_context(cursor, state)?;
    }
    state.time = Time(state.time.0.wrapping_add(cursor.varint()?));
    let len = cursor.varint()?;
    let mut body = cursor.split(len)?;
    let what = take_body(kind, &mut body, state, stacks);
    let what = if body.within() { what } else { Err(Skip::Malformed) };
    cursor.unknown_codes += body.unknown_codes;
    let what = match (kind, what) {
        // Later addresses are counted from this record's.
        (cold::REALLOC, Err(skip)) => return Err(skip),
        // Nodes are counted, so one that cannot be told still takes its id.
        (cold::STACK, Err(_)) => What::Stack(stack::UNREADABLE_NODE),
        (_, Err(skip)) => return Ok(Told::No(skip)),
        (_, Ok(what)) => what,
    };
    if kind == cold::STACK && !stacks.define() {
        return Err(Skip::Malformed);
    }
    let State { time, process, thread, .. } = *state;
    events.push(Event { time, process, thread, what });
    Ok(Told::Yes)
}

fn take_body(
    kind: u8,
    body: &mut Cursor<'_>,
    state: &mut State,
    stacks: &mut StackIds,
) -> Result<What, Skip> {
    Ok(match kind {
        cold::REALLOC => What::Realloc(stack::take_realloc(body, state, stacks)?),
        cold::STACK => What::Stack(stack::take_node(body, stacks)?),
        cold::MODULE => What::Module(Box::new(target::take_module(body)?)),
        cold::MODULE_UNLOAD => What::ModuleUnload(Address(body.varint()?)),
        cold::PROCESS => What::Process(Box::new(target::take_process(body)?)),
        cold::PROCESS_EXIT => What::ProcessExit(target::take_exit(body)?),
        cold::THREAD => What::Thread(body.str()?.into()),
        cold::THREAD_EXIT => What::ThreadExit,
        cold::HEAP_CREATE => What::HeapCreate(stack::take_heap(body, stacks)?),
        cold::HEAP_DESTROY => What::HeapDestroy(HeapId(body.varint()?)),
        cold::LOSS => What::Loss(counted::take_loss(body)?),
        cold::MARK => What::Mark(Box::new(counted::take_mark(body)?)),
        cold::TALLY => What::Tally(Box::new(counted::take_tally(body, stacks)?)),
        cold::SNAPSHOT => What::Snapshot(Box::new(counted::take_snapshot(body, stacks)?)),
        cold::SAMPLE => What::Sample(counted::take_sample(body)?),
        cold::FACT => What::Fact(Box::new(target::take_fact(body)?)),
        cold::EPOCH => What::Epoch,
        cold::NAME => What::Name(Box::new(stack::take_name(body)?)),
        cold::FREED_BEFORE => What::FreedBefore(Box::new(stack::take_freed_before(body, stacks)?)),
        cold::SCAN => What::Scan(Box::new(reach::take_scan(body)?)),
        cold::REACH => What::Reach(Box::new(reach::take_reach(body, stacks)?)),
        cold::EXCEPTION => What::Exception(stack::take_exception(body, stacks)?),
        _ => return Err(Skip::Newer),
    })
}
