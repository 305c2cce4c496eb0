//! A synthetic heap log: what Windows would have written of a program, told in code. It is written from the format's
//! description and shares neither code nor numbers with the reader. Logs made so are constructed: no such
//! server was recorded.
//!
//! ```ignore
//! let mut t = SynthEtl::new(Bits::B32);
//! let p = t.process("Inetinfo.exe", 0.0);
//! t.module(p, File::new("Cdoexm.dll").version("6.0.6617.47"));
//! t.leak(p, &["ntdll.dll+0x2100", "Cdoexm.dll+0x4a10"], 260, 1000, 0.5..60.0);
//! let bytes = t.build();
//! ```
//!
//! A process has `ntdll.dll`, its program and one heap, [`HEAP`], that it created or had; all happens on one thread.
//! Frames are `Module+0xOFFSET`, innermost first; modules that were not described are made up.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod encode;
pub mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub use encode::Bits;
use encode::{
    About, Body, Buffer, FIRST, HERTZ, Head, KERNEL_TRACE_CONTROL, full, logfile, perf, system,
};

/// The heap that every process has.
pub const HEAP: u64 = 0x2_0000;

/// How stacks are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walks {
    /// As frames behind each record.
    Frames,
    /// As keys, whose frames come at the log's end.
    Keys,
    /// Not at all.
    None,
}

/// A process of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

/// A file that is mapped.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub path: String,
    pub size: u32,
    pub timestamp: u32,
    pub version: Option<String>,
    pub pdb: Option<([u8; 16], u32, String)>,
    /// Whether the records of the mapping have the time stamp, too.
    pub stamped: bool,
}

impl File {
    pub fn new(name: &str) -> Self {
        let sum = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        File {
            name: name.to_owned(),
            path: format!(r"\Device\HarddiskVolume2\Windows\System32\{name}"),
            size: 0x10_0000 + (sum & 0xff) * 0x1000,
            timestamp: 0x4000_0000 | sum >> 2,
            version: None,
            pdb: None,
            stamped: true,
        }
    }

    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    pub fn pdb(mut self, guid: [u8; 16], age: u32, name: &str) -> Self {
        self.pdb = Some((guid, age, name.to_owned()));
        self
    }
}

#[derive(Debug)]
struct Running {
    name: String,
    from: Option<u64>,
    until: Option<u64>,
    /// Base of each module, by name.
    modules: BTreeMap<String, (u64, File)>,
    next_base: u64,
    next_block: u64,
}

/// A log in the making.
#[derive(Debug)]
pub struct SynthEtl {
    pub bits: Bits,
    pub walks: Walks,
    pub about: About,
    /// Whether images and processes are found as the session begins, too, or only as it ends.
    pub rundown_at_start: bool,
    processes: BTreeMap<Pid, Running>,
    next_pid: u32,
    /// Records, each with its time; sorted as the log is built.
    records: Vec<(u64, Vec<u8>)>,
    files: BTreeMap<String, File>,
    keys: BTreeMap<Vec<u64>, u64>,
    taken: BTreeSet<u64>,
    end: u64,
}

fn ticks(seconds: f64) -> u64 {
    FIRST + (seconds * HERTZ as f64) as u64
}

impl SynthEtl {
    pub fn new(bits: Bits) -> Self {
        SynthEtl {
            bits,
            walks: Walks::Frames,
            about: About { processors: 1, ..About::default() },
            rundown_at_start: true,
            processes: BTreeMap::new(),
            next_pid: 1000,
            records: Vec::new(),
            files: BTreeMap::new(),
            keys: BTreeMap::new(),
            taken: BTreeSet::new(),
            end: FIRST,
        }
    }

    /// A process that starts in the log and creates its heap.
    pub fn process(&mut self, name: &str, at: f64) -> Pid {
        let pid = self.add(name, Some(ticks(at)), None);
        self.heap_create(at, pid, HEAP, &["ntdll.dll+0x3000", "ntdll.dll+0x900"]);
        pid
    }

    /// A process that starts with a number that another had.
    pub fn process_again(&mut self, name: &str, at: f64, pid: Pid) -> Pid {
        self.add(name, Some(ticks(at)), Some(pid));
        self.heap_create(at, pid, HEAP, &["ntdll.dll+0x3000", "ntdll.dll+0x900"]);
        pid
    }

    /// A process that runs as the log begins.
    pub fn running_process(&mut self, name: &str) -> Pid {
        self.add(name, None, None)
    }

    fn add(&mut self, name: &str, from: Option<u64>, pid: Option<Pid>) -> Pid {
        let pid = pid.unwrap_or(Pid(self.next_pid));
        self.next_pid = self.next_pid.max(pid.0 + 4);
        let running = Running {
            name: name.to_owned(),
            from,
            until: None,
            modules: BTreeMap::new(),
            next_base: 0x1000_0000,
            next_block: 0x2_1000,
        };
        self.processes.insert(pid, running);
        match from {
            Some(at) => self.process_record(at, 0x301, pid, 0),
            None if self.rundown_at_start => self.process_record(FIRST + 1, 0x303, pid, 0),
            None => {}
        }
        self.module(pid, File::new("ntdll.dll").version("6.1.7601.17514"));
        self.module(pid, File::new(name).version("1.0.0.1"));
        pid
    }

    fn process_record(&mut self, at: u64, hook: u16, pid: Pid, status: i32) {
        let name = self.processes[&pid].name.clone();
        let body = Body::new(self.bits)
            .ptr(0x8123_4560)
            .u32(pid.0)
            .u32(500)
            .u32(1)
            .raw(&status.to_le_bytes())
            .ptr(0x1a_7000)
            // A user and a SID with five sub-authorities.
            .ptr(0x1234)
            .ptr(0)
            .raw(&[1, 5, 0, 0, 0, 0, 0, 5])
            .raw(&[0x15; 20])
            .narrow(&name)
            .wide(&format!("\"C:\\Program Files\\{name}\" -x  7"));
        self.record(at, hook, 3, Pid(500), &body.bytes);
    }

    /// A process ends.
    pub fn exit(&mut self, at: f64, pid: Pid, status: i32) {
        self.process_record(ticks(at), 0x302, pid, status);
        if let Some(running) = self.processes.get_mut(&pid) {
            running.until = Some(ticks(at));
        }
    }

    /// Maps a file as the process begins; in place of one of the same name.
    pub fn module(&mut self, pid: Pid, file: File) -> u64 {
        let at = self.processes[&pid].from;
        self.module_at(pid, file, at)
    }

    /// Maps a file later.
    pub fn load(&mut self, at: f64, pid: Pid, file: File) -> u64 {
        self.module_at(pid, file, Some(ticks(at)))
    }

    fn module_at(&mut self, pid: Pid, file: File, at: Option<u64>) -> u64 {
        let running = self.processes.get_mut(&pid).unwrap();
        let base = running.next_base;
        running.next_base += u64::from(file.size).next_multiple_of(0x10_0000) + 0x10_0000;
        running.modules.insert(file.name.clone(), (base, file.clone()));
        self.files.insert(file.name.clone(), file.clone());
        match at {
            Some(at) => self.image_record(at, 0x30a, pid, base, &file),
            None if self.rundown_at_start => self.image_record(FIRST + 2, 0x1403, pid, base, &file),
            None => {}
        }
        base
    }

    /// Unmaps a file.
    pub fn unload(&mut self, at: f64, pid: Pid, name: &str) {
        let (base, file) = self.processes.get_mut(&pid).unwrap().modules.remove(name).unwrap();
        self.image_record(ticks(at), 0x1402, pid, base, &file);
    }

    /// The address that the next mapped file of a process begins at.
    pub fn next_base(&mut self, pid: Pid, base: u64) {
        self.processes.get_mut(&pid).unwrap().next_base = base;
    }

    fn image_record(&mut self, at: u64, hook: u16, pid: Pid, base: u64, file: &File) {
        let body = Body::new(self.bits)
            .ptr(base)
            .ptr(file.size.into())
            .u32(pid.0)
            .u32(0x1_2345)
            .u32(if file.stamped { file.timestamp } else { 0 })
            .u32(0)
            .ptr(0x1000_0000)
            .raw(&[0; 16])
            .wide(&file.path);
        self.record(at, hook, 2, pid, &body.bytes);
    }

    /// A record with a system header, on the thread that the process's number and one name.
    pub fn record(&mut self, at: u64, hook: u16, version: u16, pid: Pid, payload: &[u8]) {
        let head = Head { ticks: at, pid: pid.0, tid: pid.0 + 1 };
        self.raw(at, system(self.bits, hook, version, head, payload));
    }

    /// Any record, at a time in ticks of the log's clock.
    pub fn raw(&mut self, at: u64, record: Vec<u8>) {
        self.end = self.end.max(at);
        self.records.push((at, record));
    }

    /// A free tick at or after a time: each heap record has its own, so that its stack finds it.
    fn tick(&mut self, at: f64) -> u64 {
        let mut at = ticks(at).next_multiple_of(4);
        while !self.taken.insert(at) {
            at += 4;
        }
        at
    }

    fn heap(&mut self, at: f64, pid: Pid, opcode: u8, body: Body, stack: &[&str]) {
        let at = self.tick(at);
        self.record(at, 0x1000 | u16::from(opcode), 2, pid, &body.bytes);
        self.stack(at, pid, stack);
    }

    fn stack(&mut self, at: u64, pid: Pid, stack: &[&str]) {
        if stack.is_empty() || self.walks == Walks::None {
            return;
        }
        let frames: Vec<u64> = stack.iter().map(|frame| self.address(pid, frame)).collect();
        let of = Body::new(self.bits).u64(at).u32(pid.0).u32(pid.0 + 1);
        let (hook, body) = match self.walks {
            Walks::Keys => {
                let next = 0x4000_0000 + self.keys.len() as u64 * 0x40;
                let key = *self.keys.entry(frames).or_insert(next);
                (0x1826, of.ptr(key))
            }
            _ => (0x1820, frames.iter().fold(of, |body, frame| body.ptr(*frame))),
        };
        let bits = self.bits;
        self.raw(at + 1, perf(bits, hook, 2, at + 1, &body.bytes));
    }

    /// Address of a frame: `Module+0xOFFSET`, or `@0xADDRESS` outside any.
    pub fn address(&mut self, pid: Pid, frame: &str) -> u64 {
        let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        if let Some(address) = frame.strip_prefix('@') {
            return hex(address);
        }
        let (name, offset) = frame.split_once('+').expect("Module+0xOFFSET");
        let known = self.processes[&pid].modules.get(name).map(|(base, _)| *base);
        let file = || File::new(name);
        known.unwrap_or_else(|| self.module(pid, file())) + hex(offset)
    }

    pub fn heap_create(&mut self, at: f64, pid: Pid, heap: u64, stack: &[&str]) {
        let body = Body::new(self.bits).ptr(heap).u32(2);
        self.heap(at, pid, 32, body, stack);
    }

    pub fn heap_destroy(&mut self, at: f64, pid: Pid, heap: u64) {
        let body = Body::new(self.bits).ptr(heap);
        self.heap(at, pid, 35, body, &[]);
    }

    pub fn alloc(&mut self, at: f64, pid: Pid, heap: u64, address: u64, size: u64, stack: &[&str]) {
        let body = Body::new(self.bits).ptr(heap).ptr(size).ptr(address).u32(3);
        self.heap(at, pid, 33, body, stack);
    }

    pub fn free(&mut self, at: f64, pid: Pid, heap: u64, address: u64) {
        let body = Body::new(self.bits).ptr(heap).ptr(address).u32(3);
        self.heap(at, pid, 36, body, &[]);
    }

    /// The summary alone: sizes are new, old.
    pub fn realloc(
        &mut self,
        at: f64,
        pid: Pid,
        old: u64,
        new: u64,
        sizes: (u64, u64),
        stack: &[&str],
    ) {
        let body =
            Body::new(self.bits).ptr(HEAP).ptr(new).ptr(old).ptr(sizes.0).ptr(sizes.1).u32(3);
        self.heap(at, pid, 34, body, stack);
    }

    /// 37 expand, 42 contract: the heap has so much committed now.
    pub fn resize(
        &mut self,
        at: f64,
        pid: Pid,
        opcode: u8,
        address: u64,
        size: u64,
        committed: u64,
    ) {
        let body = Body::new(self.bits).ptr(HEAP).ptr(size).ptr(address);
        let body = body.ptr(4096).ptr(committed).ptr(committed * 2).u32(1);
        self.heap(at, pid, opcode, body, &[]);
    }

    /// `VirtualAlloc` (98) or `VirtualFree` (99) with its flags.
    pub fn range(
        &mut self,
        at: f64,
        pid: Pid,
        opcode: u8,
        (base, size): (u64, u64),
        flags: u32,
        stack: &[&str],
    ) {
        let at = self.tick(at);
        let body = Body::new(self.bits).ptr(base).ptr(size).u32(pid.0).u32(flags);
        self.record(at, 0x200 | u16::from(opcode), 2, pid, &body.bytes);
        self.stack(at, pid, stack);
    }

    /// The address of a block that was never given out.
    pub fn block(&mut self, pid: Pid, size: u64) -> u64 {
        let running = self.processes.get_mut(&pid).unwrap();
        let block = running.next_block;
        running.next_block += (size + 8).next_multiple_of(16);
        block
    }

    /// Blocks that are never freed, evenly over a time.
    pub fn leak(&mut self, pid: Pid, stack: &[&str], size: u64, count: u64, over: Range<f64>) {
        for n in 0..count {
            let at = over.start + (over.end - over.start) * n as f64 / count as f64;
            let address = self.block(pid, size);
            self.alloc(at, pid, HEAP, address, size, stack);
        }
    }

    /// Blocks that are freed after `life` seconds.
    pub fn churn(
        &mut self,
        pid: Pid,
        stack: &[&str],
        size: u64,
        count: u64,
        over: Range<f64>,
        life: f64,
    ) {
        for n in 0..count {
            let at = over.start + (over.end - over.start) * n as f64 / count as f64;
            let address = self.block(pid, size);
            self.alloc(at, pid, HEAP, address, size, stack);
            self.free(at + life, pid, HEAP, address);
        }
    }

    /// The records alone, in order, each with its time.
    pub fn records(mut self) -> Vec<(u64, Vec<u8>)> {
        self.rundown();
        self.records.sort_by_key(|(at, _)| *at);
        self.records
    }

    /// The log.
    pub fn build(mut self) -> Vec<u8> {
        self.rundown();
        self.records.sort_by_key(|(at, _)| *at);
        let processors = self.about.processors.max(1) as usize;
        let mut open: Vec<Buffer> = (0..processors as u16).map(Buffer::new).collect();
        let (mut buffers, mut n) = (Vec::new(), 0u64);
        for (at, record) in &self.records {
            let processor = (*at / 64) as usize % processors;
            if !open[processor].put(record) {
                n += 1;
                let full = std::mem::replace(&mut open[processor], Buffer::new(processor as u16));
                buffers.push(full.close(n, 0));
                assert!(open[processor].put(record), "a record larger than a buffer");
            }
        }
        for buffer in open.into_iter().filter(|buffer| !buffer.is_empty()) {
            n += 1;
            buffers.push(buffer.close(n, 0));
        }
        let mut first = Buffer::new(0);
        self.about.buffers = buffers.len() as u32 + 1;
        assert!(first.put(&logfile(self.bits, self.about)), "the first record fits");
        buffers.insert(0, first.close(0, 4));
        buffers.concat()
    }

    /// What stands at the end of a log: what was found as the session ended, what keys stand for, and what the
    /// files are.
    fn rundown(&mut self) {
        let end = self.end + 1000;
        let bits = self.bits;
        let running: Vec<Pid> =
            self.processes.iter().filter(|(_, r)| r.until.is_none()).map(|(p, _)| *p).collect();
        for pid in running {
            self.process_record(end, 0x304, pid, 0);
            for (base, file) in self.processes[&pid].modules.values().cloned().collect::<Vec<_>>() {
                self.image_record(end, 0x1404, pid, base, &file);
            }
        }
        for (frames, key) in std::mem::take(&mut self.keys) {
            let body = frames.iter().fold(Body::new(bits).ptr(key), |body, frame| body.ptr(*frame));
            self.raw(end + 1, perf(bits, 0x1824, 2, end + 1, &body.bytes));
        }
        let head = Head { ticks: end + 2, pid: 4, tid: 8 };
        let all: Vec<_> = self
            .processes
            .iter()
            .flat_map(|(pid, running)| {
                running.modules.values().map(|(base, file)| (*pid, *base, file.clone()))
            })
            .collect();
        let mut say = |opcode, body: Body| {
            let record = full(bits, KERNEL_TRACE_CONTROL, opcode, 0, head, &body.bytes);
            self.records.push((end + 2, record));
        };
        for (pid, base, file) in all {
            let id = Body::new(bits).ptr(base).ptr(file.size.into()).u32(pid.0).u32(file.timestamp);
            say(0, id.wide(&file.name));
            if let Some((guid, age, name)) = &file.pdb {
                let body = Body::new(bits).ptr(base).u32(pid.0).raw(guid).u32(*age).narrow(name);
                say(36, body);
            }
        }
        for file in self.files.values() {
            let Some(version) = &file.version else { continue };
            let strings = [
                &file.name,
                "A module",
                version,
                version,
                "English",
                "The product",
                "The maker",
                version,
                "",
                "",
            ];
            let body = Body::new(bits).u32(file.size).u32(file.timestamp);
            say(64, strings.iter().fold(body, |body, text| body.wide(text)));
        }
    }
}
