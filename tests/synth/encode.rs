//! The trace format once more, written from `docs/trace-format.md`: numbers and layouts are
//! repeated here on purpose, as plainly as they can be. Chunks are stored, not compressed.

use unfreed::event::*;
use xxhash_rust::xxh3::xxh3_64;

/// Records in each chunk.
const CHUNK: usize = 1000;

/// A whole file.
pub fn file(source: &str, events: &[Event]) -> Vec<u8> {
    let mut file = file_header(source);
    let mut next_stack = 4;
    for (n, events) in events.chunks(CHUNK).enumerate() {
        let first = n * CHUNK;
        let body = records(events);
        file.extend(chunk(1, &body, events.len(), next_stack, first, events[0].time.0));
        next_stack += events.iter().filter(|event| matches!(event.what, What::Stack(_))).count();
    }
    file.extend(chunk(2, &[], 0, next_stack, events.len(), 0));
    file
}

/// The file header.
pub fn file_header(source: &str) -> Vec<u8> {
    let mut record = Vec::new();
    for (number, value) in [
        (1, b"synth".to_vec()),
        (2, source.as_bytes().to_vec()),
        (3, signed(1_067_335_200_000_000_000)),
        (4, signed(60)),
        (5, b"synthetic".to_vec()),
    ] {
        record.push(number);
        record.extend(varint(value.len() as u64));
        record.extend(value);
    }
    let mut file = vec![0x89, 0x55, 0x46, 0x52, 0x0d, 0x0a, 0x1a, 0x0a];
    file.extend(2_u32.to_le_bytes());
    file.extend((record.len() as u32).to_le_bytes());
    file.extend(xxh3_64(&file).to_le_bytes());
    file.extend(&record);
    file.extend(xxh3_64(&record).to_le_bytes());
    file
}

/// A chunk, stored.
pub fn chunk(
    kind: u8,
    body: &[u8],
    count: usize,
    next_stack: usize,
    first: usize,
    base: u64,
) -> Vec<u8> {
    let mut chunk = vec![0x89, 0x55, 0x46, 0x43, kind, 0, 0, 0];
    chunk.extend((body.len() as u32).to_le_bytes());
    chunk.extend((body.len() as u32).to_le_bytes());
    chunk.extend((count as u32).to_le_bytes());
    chunk.extend((next_stack as u32).to_le_bytes());
    chunk.extend((first as u64).to_le_bytes());
    chunk.extend(base.to_le_bytes());
    chunk.extend(xxh3_64(body).to_le_bytes());
    chunk.extend(xxh3_64(&chunk).to_le_bytes());
    chunk.extend(body);
    chunk
}

/// What records are stored as differences to.
#[derive(Default)]
struct Last {
    time: u64,
    process: u32,
    thread: u32,
    address: u64,
    heap: u64,
}

/// The records of one chunk.
pub fn records(events: &[Event]) -> Vec<u8> {
    let mut last = Last { time: events[0].time.0, ..Last::default() };
    events.iter().flat_map(|event| record(event, &mut last)).collect()
}

fn record(event: &Event, last: &mut Last) -> Vec<u8> {
    match &event.what {
        What::Alloc(alloc) => {
            let short = match alloc.function {
                Function::Malloc => 0,
                Function::Calloc => 1,
                Function::Realloc => 2,
                Function::New => 3,
                Function::NewArray => 4,
                Function::RtlAllocateHeap => 5,
                Function::PosixMemalign => 6,
                _ => 7,
            };
            let place = (alloc.address.0, alloc.heap.0);
            let mut bytes = hot(event, last, 0x80, short, alloc.function, place);
            bytes.extend(varint(alloc.size.0));
            bytes.extend(varint(alloc.stack.0.into()));
            bytes
        }
        What::Free(free) => {
            let short = match free.function {
                Function::Free => 0,
                Function::Realloc => 1,
                Function::Delete => 2,
                Function::DeleteArray => 3,
                Function::RtlFreeHeap => 4,
                Function::VirtualFree => 5,
                Function::Munmap => 6,
                _ => 7,
            };
            let place = (free.address.0, free.heap.0);
            let mut bytes = hot(event, last, 0xc0, short, free.function, place);
            bytes.extend(varint(free.stack.0.into()));
            bytes
        }
        what => {
            let (kind, body) = body(what, last);
            let mut bytes = Vec::new();
            let context = context(event, last);
            bytes.push(kind + if context.is_empty() { 0 } else { 0x40 });
            bytes.extend(context);
            bytes.extend(time(event, last));
            bytes.extend(varint(body.len() as u64));
            bytes.extend(body);
            bytes
        }
    }
}

fn hot(
    event: &Event,
    last: &mut Last,
    kind: u8,
    short: u8,
    function: Function,
    (address, heap): (u64, u64),
) -> Vec<u8> {
    let mut tag = kind + short;
    let mut bytes = context(event, last);
    if !bytes.is_empty() {
        tag += 0x20;
    }
    bytes.extend(time(event, last));
    let moved = address.wrapping_sub(last.address) as i64;
    last.address = address;
    if moved % 16 == 0 {
        tag += 0x10;
        bytes.extend(signed(moved / 16));
    } else {
        bytes.extend(signed(moved));
    }
    if heap != last.heap {
        tag += 0x08;
        bytes.extend(signed(heap.wrapping_sub(last.heap) as i64));
        last.heap = heap;
    }
    if short == 7 {
        bytes.push(function as u8);
    }
    bytes.insert(0, tag);
    bytes
}

fn context(event: &Event, last: &mut Last) -> Vec<u8> {
    if (event.process.0, event.thread.0) == (last.process, last.thread) {
        return Vec::new();
    }
    (last.process, last.thread) = (event.process.0, event.thread.0);
    [varint(last.process.into()), varint(last.thread.into())].concat()
}

fn time(event: &Event, last: &mut Last) -> Vec<u8> {
    let passed = event.time.0.wrapping_sub(last.time);
    last.time = event.time.0;
    varint(passed)
}

/// Kind and body of all other records.
fn body(what: &What, last: &mut Last) -> (u8, Vec<u8>) {
    let mut b = Vec::new();
    let kind = match what {
        What::Alloc(_) | What::Free(_) => unreachable!("have records of their own"),
        What::Realloc(realloc) => {
            b.extend(signed(realloc.old.0.wrapping_sub(last.address) as i64));
            b.extend(signed(realloc.new.0.wrapping_sub(realloc.old.0) as i64));
            last.address = realloc.new.0;
            b.extend(varint(realloc.size.0));
            b.extend(varint(realloc.stack.0.into()));
            b.push(realloc.function as u8);
            b.extend(varint(realloc.heap.0));
            1
        }
        What::Stack(node) => {
            b.extend(varint(node.caller.0.into()));
            b.extend(varint(node.frame.module.map_or(0, |module| u64::from(module.0) + 1)));
            b.extend(varint(node.frame.offset));
            b.push(node.frame.trust as u8);
            2
        }
        What::Module(module) => {
            b.extend(varint(module.id.0.into()));
            b.extend(varint(module.base.0));
            b.extend(varint(module.size.0));
            identity(&mut b, &module.identity);
            3
        }
        What::ModuleUnload(base) => {
            b.extend(varint(base.0));
            4
        }
        What::Process(process) => {
            b.extend(varint(process.pid.into()));
            b.extend(varint(process.parent.into()));
            b.extend(string(&process.name));
            b.extend(varint(process.command.len() as u64));
            b.extend(process.command.iter().flat_map(|argument| string(argument)));
            b.push(process.from_start.into());
            b.extend(varint(process.sampled.map_or(0, |mean| mean.0)));
            5
        }
        What::ProcessExit(exit) => {
            let (how, value) = match exit {
                Exit::Unknown => (0, 0),
                Exit::Status(status) => (1, *status),
                Exit::Signal(signal) => (2, *signal),
                Exit::Replaced => (3, 0),
                Exit::StillRunning => (4, 0),
            };
            b.push(how);
            b.extend(signed(value.into()));
            6
        }
        What::Thread(name) => {
            b.extend(string(name));
            7
        }
        What::ThreadExit => 8,
        What::HeapCreate(create) => {
            b.extend(varint(create.heap.0));
            b.extend(varint(create.stack.0.into()));
            9
        }
        What::HeapDestroy(heap) => {
            b.extend(varint(heap.0));
            10
        }
        What::Loss(loss) => {
            b.push(loss.what as u8);
            b.extend(varint(loss.count));
            11
        }
        What::Mark(mark) => {
            b.extend(string(&mark.text));
            b.extend(optional(mark.count));
            12
        }
        What::Tally(tally) => {
            b.extend(varint(tally.stack.0.into()));
            b.extend(varint(tally.since.0));
            b.extend(varint(tally.allocated));
            b.extend(varint(tally.allocated_bytes.0));
            b.extend(varint(tally.freed));
            b.extend(varint(tally.freed_bytes.0));
            b.push(tally.estimated.into());
            b.extend(varint(tally.lifetimes.len() as u64));
            b.extend(tally.lifetimes.iter().flat_map(|count| varint(*count)));
            b.extend(varint(tally.resolution.0));
            b.push(tally.sizes.is_some().into());
            if let Some((smallest, largest)) = tally.sizes {
                b.extend(varint(smallest.0));
                b.extend(varint(largest.0));
            }
            13
        }
        What::Snapshot(snapshot) => {
            b.extend(varint(snapshot.number.into()));
            b.extend(varint(snapshot.stack.0.into()));
            b.extend(varint(snapshot.blocks));
            b.extend(varint(snapshot.bytes.0));
            14
        }
        What::Sample(sample) => {
            b.push(sample.metric as u8);
            b.extend(varint(sample.value));
            15
        }
        What::Fact(fact) => {
            b.push(fact.kind as u8);
            b.extend(string(&fact.subject));
            b.extend(optional_string(fact.value.as_deref()));
            16
        }
        What::Epoch => 17,
        What::Name(name) => {
            b.extend(varint(name.module.0.into()));
            b.extend(varint(name.offset));
            b.extend(varint(name.functions.len() as u64));
            for named in &name.functions {
                b.extend(string(&named.function));
                b.extend(optional_string(named.file.as_deref()));
                b.extend(varint(named.line.map_or(0, |line| u64::from(line) + 1)));
            }
            18
        }
        What::FreedBefore(before) => {
            b.extend(varint(before.address.0));
            b.extend(varint(before.site.0.into()));
            b.extend(varint(before.stack.0.into()));
            b.extend(varint(before.freed.0));
            19
        }
        What::Scan(scan) => {
            b.extend(varint(scan.stopped.0));
            b.extend(varint(scan.read.0));
            b.push(scan.whole.into());
            b.extend(optional_string(scan.failed.as_deref()));
            b.extend(varint(scan.unread.own.0));
            b.extend(varint(scan.unread.shared.0));
            b.extend(optional_string(scan.unread.what.as_deref()));
            b.push(scan.exact.into());
            20
        }
        What::Reach(reach) => {
            b.extend(varint(reach.stack.0.into()));
            b.extend(varint(reach.born.0));
            b.extend(varint(reach.blocks));
            b.extend(varint(reach.bytes.0));
            b.extend(varint(reach.interior));
            match reach.root {
                None => b.push(0),
                Some(root) => {
                    b.push(root.kind as u8 + 1);
                    b.extend(varint(root.module.map_or(0, |module| u64::from(module.0) + 1)));
                    b.extend(varint(root.offset));
                }
            }
            21
        }
        What::Exception(exception) => {
            b.extend(varint(exception.code.into()));
            b.extend(varint(exception.address.0));
            b.extend(varint(exception.stack.0.into()));
            22
        }
    };
    (kind, b)
}

fn identity(b: &mut Vec<u8>, identity: &unfreed_symbols::ModuleIdentity) {
    use unfreed_symbols::PackageManager;
    b.extend(string(&identity.name));
    b.extend(string(&identity.path));
    b.extend(optional_string(identity.soname.as_deref()));
    b.extend(optional_string(identity.build_id.as_deref()));
    b.extend(optional_string(identity.file_version.as_deref()));
    match &identity.pdb {
        None => b.push(0),
        Some(pdb) => {
            b.push(1);
            b.extend(string(&pdb.guid));
            b.extend(varint(pdb.age.into()));
            b.extend(string(&pdb.name));
        }
    }
    match &identity.package {
        None => b.push(0),
        Some(package) => {
            b.push(match package.manager {
                PackageManager::Dpkg => 1,
                PackageManager::Rpm => 2,
                PackageManager::Note => 3,
            });
            b.extend(string(&package.name));
            b.extend(string(&package.version));
            b.extend(optional_string(package.architecture.as_deref()));
            b.extend(optional_string(package.distribution.as_deref()));
        }
    }
    b.extend(optional(identity.file_size));
    if let Some(pe) = &identity.pe {
        b.push(1);
        b.extend(varint(pe.timestamp.into()));
        b.extend(varint(pe.image_size.into()));
        b.extend(optional_string(pe.product_version.as_deref()));
        b.extend(optional_string(pe.company.as_deref()));
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push((value % 128) as u8 + 128);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

fn signed(value: i64) -> Vec<u8> {
    let magnitude = if value < 0 { !value } else { value } as u64;
    varint(magnitude * 2 + u64::from(value < 0))
}

fn string(text: &str) -> Vec<u8> {
    [varint(text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn optional_string(text: Option<&str>) -> Vec<u8> {
    text.map_or(vec![0], |text| [varint(text.len() as u64 + 1), text.as_bytes().to_vec()].concat())
}

fn optional(value: Option<u64>) -> Vec<u8> {
    value.map_or(vec![0], |value| [vec![1], varint(value)].concat())
}
