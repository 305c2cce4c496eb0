//! Reads a table row by row: each value is a sample of its process at its row's time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::path::{self, Holds, Instance};
use super::processes::{Change, Processes, private};
use super::row::{bias_minutes, fields, is_header, separator, value};
use super::time::WallClock;
use crate::event::{
    Event, Exit, Fact, FactKind, Metric, Process, ProcessId, Sample, Tid, Time, What,
};
use crate::read::text::{Line, Lines};
use crate::read::trace::{Clock, Header};
use crate::read::{About, Fault, Faults, Offset, ReadError, Source};

/// The longest line: a table of all counters of a large server has some hundred thousand columns.
const LINE: usize = 16 * 1024 * 1024;
/// How many rows one batch is made of.
const BATCH: usize = 256;

/// A log of counters.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    table: Table,
    ended: bool,
}

/// The columns of one instance.
#[derive(Debug, Default)]
struct Columns {
    pid: Option<usize>,
    metrics: Vec<(usize, Metric)>,
}

#[derive(Debug, Default)]
struct Table {
    separator: char,
    width: usize,
    instances: BTreeMap<Instance, Columns>,
    processes: Processes,
    began: Option<WallClock>,
    bias_minutes: Option<i32>,
    now: Time,
    rows: u64,
    /// Lines that are no rows, and where the first is: behind the last row they are only messages.
    prose: Option<(Offset, u64)>,
}

impl<R: Read> Reader<R> {
    /// A log from its beginning.
    pub fn new(reader: R, about: &About) -> Self {
        let clock = Clock { name: "local time".to_owned(), hertz: None };
        let started_unix_ns = about.modified_unix_ns.unwrap_or(0);
        let header =
            Header { source: "counters".to_owned(), started_unix_ns, clock, ..Header::default() };
        Reader {
            lines: Lines::new(reader, LINE),
            header,
            faults: Faults::default(),
            table: Table::default(),
            ended: false,
        }
    }
}

impl<R: Read> Source for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        let Reader { lines, header, faults, table, ended } = self;
        if *ended {
            return Ok(false);
        }
        for _ in 0..BATCH {
            let Some(line) = lines.next(faults)? else {
                *ended = true;
                table.end(faults, events);
                break;
            };
            if is_header(line.text) {
                table.columns(line, faults);
            } else if !line.text.trim().is_empty() {
                table.row(line, faults, events);
            }
            if let Some(began) = table.began {
                let bias = table.bias_minutes.unwrap_or(0);
                header.started_unix_ns = began.unix_ns(bias);
                header.utc_offset_minutes = -bias;
            }
        }
        Ok(true)
    }

    fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }
}

impl Table {
    /// Takes the columns of a table. Logs that were joined have a header for each.
    fn columns(&mut self, line: Line<'_>, faults: &mut Faults) {
        self.separator = separator(line.text);
        let names = fields(line.text, self.separator);
        self.width = names.len();
        self.bias_minutes =
            names.first().and_then(|first| bias_minutes(first)).or(self.bias_minutes);
        self.instances.clear();
        for (at, name) in names.iter().enumerate().skip(1) {
            let Some((instance, holds)) = path::read(name) else { continue };
            let columns = self.instances.entry(instance).or_default();
            match holds {
                Holds::Pid => columns.pid = Some(at),
                Holds::Metric(metric) => columns.metrics.push((at, metric)),
            }
        }
        let hosts: BTreeSet<&str> = self.instances.keys().map(|of| of.host.as_str()).collect();
        self.processes.several_hosts |= hosts.len() > 1;
        self.instances.retain(|_, columns| !columns.metrics.is_empty());
        if self.instances.is_empty() {
            let what = "no counter of a process is in it that is read: record \\Process(*)\\Private \
                        Bytes and \\Process(*)\\ID Process";
            faults.add(line.offset, what);
        }
        let numbered = |of: &Instance, columns: &Columns| {
            of.number > 0 && !of.managed && columns.pid.is_none()
        };
        if self.instances.iter().any(|(of, columns)| numbered(of, columns)) {
            let what = "programs run more than once and \\Process(*)\\ID Process is not there: one that \
                        ends may pass its name on, and two are taken for one";
            faults.add(line.offset, what);
        }
        let before = self.instances.len();
        self.drop_nameless();
        let without = (before - self.instances.len()) as u64;
        faults.add_many(
            line.offset,
            "managed heaps of a program that runs more than once cannot be told apart without \
             \\.NET CLR Memory(*)\\Process ID: passed over",
            without,
        );
    }

    /// Drops values of `.NET CLR Memory` that cannot be joined with a process: it numbers equal programs by
    /// itself.
    fn drop_nameless(&mut self) {
        let numbered = self.instances.keys().filter(|of| of.number > 0);
        let several: BTreeSet<(String, String)> =
            numbered.map(|of| (of.host.clone(), of.program.clone())).collect();
        self.instances.retain(|of, columns| {
            let key = (of.host.clone(), of.program.clone());
            !of.managed || columns.pid.is_some() || !several.contains(&key)
        });
    }

    fn row(&mut self, line: Line<'_>, faults: &mut Faults, events: &mut Vec<Event>) {
        let fields = fields(line.text, self.separator);
        let Some(clock) = fields.first().and_then(|first| WallClock::read(first)) else {
            let prose = self.prose.get_or_insert((line.offset, 0));
            prose.1 += 1;
            return;
        };
        if let Some((at, count)) = self.prose.take() {
            faults.add_many(at, "a line is no row of the table: it was passed over", count);
        }
        if self.width == 0 {
            faults.add(line.offset, "a row belongs to no table");
            return;
        }
        if fields.len() != self.width {
            faults.add(line.offset, "a row has not as many values as its table has columns");
        }
        let began = *self.began.get_or_insert(clock);
        match clock.since(began).filter(|time| *time >= self.now) {
            Some(time) => self.now = time,
            None => faults.add(line.offset, "the clock went back: the row counts as no time later"),
        }
        self.rows += 1;
        self.values(&fields, events);
    }

    fn values(&mut self, fields: &[String], events: &mut Vec<Event>) {
        let (now, field) = (self.now, |at: usize| fields.get(at).and_then(|field| value(field)));
        // Values of one process may stand in two instances: the managed heap's has its own.
        let pid_of = |columns: &Columns| {
            columns
                .pid
                .and_then(field)
                .and_then(|pid| u32::try_from(pid).ok())
                .filter(|pid| *pid > 0)
        };
        let mut by_name: BTreeMap<(&str, &str), Option<u32>> = BTreeMap::new();
        for (instance, columns) in self.instances.iter().filter(|(of, _)| !of.managed) {
            let pid = instance.pid.or_else(|| pid_of(columns));
            by_name.entry((&instance.host, &instance.program)).or_insert(pid);
        }
        let mut seen = Vec::new();
        for (instance, columns) in &self.instances {
            let metrics = columns.metrics.iter();
            let values: Vec<(Metric, u64)> =
                metrics.filter_map(|(at, metric)| Some((*metric, field(*at)?))).collect();
            if values.is_empty() {
                continue;
            }
            let pid = instance.pid.or_else(|| pid_of(columns)).or_else(|| {
                let key = (instance.host.as_str(), instance.program.as_str());
                by_name.get(&key).copied().flatten().filter(|_| instance.managed)
            });
            // A number column that is blank in a row with values: nobody knows whose they are.
            if columns.pid.is_some() && pid.is_none() {
                continue;
            }
            seen.push((instance, pid, values));
        }
        // A row without any value says nothing of who runs.
        if seen.is_empty() {
            return;
        }
        self.processes.row();
        for (instance, pid, values) in seen {
            let (id, changes) = self.processes.of(instance, pid, private(&values));
            events.extend(changes.into_iter().flatten().map(|change| told(now, change)));
            let samples = values.into_iter().map(|(metric, value)| Sample { metric, value });
            events.extend(samples.map(|sample| event(now, id, What::Sample(sample))));
        }
        for id in self.processes.gone() {
            events.push(event(now, id, What::ProcessExit(Exit::Unknown)));
        }
    }

    fn end(&mut self, faults: &mut Faults, events: &mut Vec<Event>) {
        if self.rows == 0 {
            faults.add(Offset(0), "the log has no row");
        }
        if self.bias_minutes.is_none() {
            let subject = "time zone of the counters".to_owned();
            let fact = Fact { kind: FactKind::Capture, subject, value: None };
            events.push(event(self.now, ProcessId(0), What::Fact(Box::new(fact))));
        }
        for id in self.processes.still() {
            events.push(event(self.now, id, What::ProcessExit(Exit::StillRunning)));
        }
        events.push(event(self.now, ProcessId(0), What::Epoch));
    }
}

fn told(time: Time, change: Change) -> Event {
    match change {
        Change::Began(began) => {
            let process = Process { pid: began.pid, name: began.name, ..Process::default() };
            event(time, began.id, What::Process(Box::new(process)))
        }
        Change::Ended(id) => event(time, id, What::ProcessExit(Exit::Unknown)),
    }
}

fn event(time: Time, process: ProcessId, what: What) -> Event {
    Event { time, process, thread: Tid(0), what }
}
