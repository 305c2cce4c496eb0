//! Running a program under the agent: a session is prepared, then watched by one loop that drains,
//! orders, translates and looks after the program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant, SystemTime};

use unfreed_wire::{Process, ProcessState, Refusal, Writer, WriterState};

use super::clock::{Clock, Stamp, now, utc_offset_minutes};
use super::drain::drain;
use super::embedded::AgentFile;
use super::error::CollectError;
use super::memory::{SessionMemory, WriterIndex, barrier};
use super::merge::{Lane, Merge};
use super::obstacle::obstacle;
use super::procfs;
use super::record::{Origin, Payload, Record};
use super::signals::Signals;
use super::target::{Target, exit, find_program};
use super::translate::{Identify, Sink, Translator};
use crate::collect::mark::MarkListener;
use crate::event::{Exit, Fact, FactKind, Lost, Metric};

/// Records handed on between two readings of the rings, so that these never fill meanwhile.
const SLICE: usize = 4096;
/// Most records that may wait; beyond it the rings are left to fill, and count what they drop.
const MOST_WAITING: usize = 1 << 22;
/// Shortest time between two epochs. It grows with the trace, so that there are never too many.
const EPOCH: Duration = Duration::from_millis(100);
const EPOCHS: u32 = 2048;
const MODULES_EVERY: Duration = Duration::from_secs(1);
const ALIVE_EVERY: Duration = Duration::from_millis(20);
/// How long a thread may stand still in the middle of a record before the others go on.
const STANDSTILL: Duration = Duration::from_secs(5);
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(4));

/// A program that is ready to be run under the agent.
pub struct Session {
    program: PathBuf,
    command: Vec<OsString>,
    stdout: Stdio,
    agent: AgentFile,
    memory: SessionMemory,
    marks: Option<MarkListener>,
    clock: Clock,
    started: SystemTime,
}

/// A program that outlived the watching of it.
pub struct Unwatched {
    target: Target,
    signals: Signals,
    // The loader needs it for as long as the program may start others.
    _agent: AgentFile,
}

impl Session {
    /// Finds the program, makes sure that it can be traced, and prepares everything but itself.
    ///
    /// # Errors
    /// See [`CollectError`]; nothing has been run.
    pub fn prepare(command: &[OsString]) -> Result<Session, CollectError> {
        let name = command.first().map(OsString::as_os_str).unwrap_or_default();
        let program = find_program(name)?;
        if let Some((path, obstacle)) = obstacle(&program) {
            return Err(CollectError::Obstacle { path, obstacle });
        }
        let measuring = Clock::measure()?;
        let agent = AgentFile::create()?;
        let memory =
            SessionMemory::create().map_err(CollectError::system("cannot make shared memory"))?;
        let marks = MarkListener::open()
            .map_err(|error| tracing::warn!("`unfreed mark` will not reach this trace: {error}"))
            .ok();
        let (clock, started) = (measuring.finish(), SystemTime::now());
        let command = command.to_vec();
        let stdout = Stdio::inherit();
        Ok(Session { program, command, stdout, agent, memory, marks, clock, started })
    }

    /// Sends what the program writes to standard output elsewhere; else it goes to ours.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Session {
        self.stdout = to.into();
        self
    }

    /// When time 0 of the events is.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Minutes east of UTC on this machine.
    pub fn utc_offset_minutes(&self) -> i32 {
        utc_offset_minutes(self.started)
    }

    /// Ticks per second of the clock that the events' times were made from.
    pub fn hertz(&self) -> u64 {
        self.clock.hertz()
    }

    /// Runs the program and hands on every event until it, and every traced process it started,
    /// has ended, or `duration` is over; then the program, if it still runs, is what remains.
    ///
    /// # Errors
    /// See [`CollectError`]. What was handed on before stays true.
    pub fn watch(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: Sink<'_>,
    ) -> Result<(Exit, Unwatched), CollectError> {
        let signals = Signals::take_over();
        let Session { program, command, stdout, agent, memory, marks, clock, .. } = self;
        let (agent_path, variable) = (agent.path(), memory.variable());
        let target = Target::start(&program, &command, stdout, &agent_path, &variable)?;
        let writers = memory.writers().map(|_| Watched::default()).collect();
        let mut collector = Collector {
            translator: Translator::new(clock, identify, sink),
            merge: Merge::default(),
            memory,
            writers,
            processes: Vec::new(),
            target,
            marks,
            watermark: Stamp(0),
            began: Instant::now(),
            due: Due::default(),
        };
        let exit = collector.run(&signals, duration)?;
        Ok((exit, Unwatched { target: collector.target, signals, _agent: agent }))
    }
}

impl Unwatched {
    /// Waits until the program has ended, passing signals on.
    pub fn wait(mut self) -> Exit {
        loop {
            if let Some(status) = self.target.ended() {
                return exit(status);
            }
            for signal in self.signals.take().0 {
                self.target.signal(signal);
            }
            std::thread::sleep(PAUSES.1);
        }
    }
}

/// What the collector remembers of a writer.
#[derive(Clone, Copy, Default)]
struct Watched {
    /// No record with an older stamp will come from it.
    promised: Stamp,
    /// Since when it has stood still in the middle of a record.
    still_since: Option<Instant>,
    /// What it had counted as lost when last looked at.
    lost: [u64; 3],
}

struct Traced {
    pid: u32,
    began: Stamp,
    name: String,
    program: String,
    ended: bool,
    refused: Option<Refusal>,
    lost: [u64; 3],
}

/// When the next of each is due.
#[derive(Default)]
struct Due {
    epoch: Duration,
    modules: Duration,
    alive: Duration,
}

struct Collector<'a> {
    translator: Translator<'a>,
    merge: Merge,
    memory: SessionMemory,
    writers: Vec<Watched>,
    processes: Vec<Traced>,
    target: Target,
    marks: Option<MarkListener>,
    watermark: Stamp,
    began: Instant,
    due: Due,
}

const LOST: [Lost; 3] = [Lost::Allocations, Lost::Frees, Lost::Stacks];

impl Collector<'_> {
    fn run(&mut self, signals: &Signals, duration: Option<Duration>) -> Result<Exit, CollectError> {
        let mut silence_told = false;
        loop {
            let drained = self.pass();
            let (to_pass_on, interrupted) = signals.take();
            for signal in to_pass_on {
                self.target.signal(signal);
            }
            let elapsed = self.began.elapsed();
            let target_ended = self.target.ended().is_some();
            let all_ended = self.processes.iter().all(|process| process.ended);
            if target_ended && (all_ended || interrupted)
                || duration.is_some_and(|duration| elapsed >= duration)
                || self.translator.has_failed()
            {
                break;
            }
            if !silence_told && self.processes.is_empty() && elapsed > Duration::from_secs(3) {
                tracing::warn!("the agent has not reported from the program yet");
                silence_told = true;
            }
            if self.merge.waiting() < SLICE && drained < self.memory.ring_bytes() / 8 {
                std::thread::sleep(if drained > 0 { PAUSES.0 } else { PAUSES.1 });
            }
        }
        self.finish()
    }

    /// One round: reads every ring and hands on what is ready. Gives the most read of one ring.
    fn pass(&mut self) -> u64 {
        let at = now();
        barrier();
        let mut watermark = self.register(at);
        let mut most = 0;
        let full = self.merge.waiting() >= MOST_WAITING;
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let state = self.memory.writer(index).state.load(Acquire);
            if state == WriterState::Live as u32 || state == WriterState::Ended as u32 {
                if full {
                    watermark = watermark.min(self.writers[n].promised);
                } else {
                    most = most.max(self.read(index, state, at, &mut watermark));
                }
            }
        }
        self.say(at);
        self.watermark = self.watermark.max(watermark);
        let translator = &mut self.translator;
        self.merge.release(self.watermark, SLICE, |record| translator.translate(record));
        most
    }

    /// Reads one ring; lowers `watermark` to what its writer promises.
    fn read(&mut self, index: WriterIndex, state: u32, at: Stamp, watermark: &mut Stamp) -> u64 {
        let writer = self.memory.writer(index);
        let watched = &mut self.writers[index.0 as usize];
        let pending = writer.pending.load(Acquire) != 0;
        let process = writer.process.load(Relaxed);
        let origin = Origin { process, tid: writer.tid.load(Relaxed) };
        let lane = Lane(index.0 as usize + 1);
        let merge = &mut self.merge;
        let mut newest = watched.promised;
        let drained = drain(&self.memory, index, origin, |record| {
            newest = newest.max(record.stamp);
            merge.push(lane, record);
        });
        let traced = self.processes.get(process as usize);
        let gone = traced.is_some_and(|traced| traced.ended);
        watched.promised = if pending && !gone { newest } else { newest.max(at) };
        // A thread may be stopped, or die, between its stamp and its record. The others do not
        // wait for it for ever; what it still has to say will then be said late.
        let standing = pending && !gone && drained.bytes == 0;
        let since = standing.then(|| watched.still_since.unwrap_or_else(Instant::now));
        watched.still_since = since;
        if since.is_none_or(|since| since.elapsed() < STANDSTILL) {
            *watermark = (*watermark).min(watched.promised);
        }
        let lost = losses(writer);
        let delta = [0, 1, 2].map(|n| lost[n].saturating_sub(watched.lost[n]));
        watched.lost = lost;
        let since = not_before(self.watermark, traced);
        for (what, count) in LOST.into_iter().zip(delta) {
            say_lost(merge, since, origin, what, count);
        }
        say_lost(merge, since, origin, Lost::Bytes, drained.damaged_bytes);
        if drained.damaged_bytes > 0 {
            // How many records these bytes were cannot be known: at least one.
            say_lost(merge, since, origin, Lost::Events, 1);
        }
        if (state == WriterState::Ended as u32 || gone)
            && writer.tail.load(Relaxed) == writer.head.load(Acquire)
        {
            reset(writer);
            *watched = Watched::default();
        }
        drained.bytes
    }

    /// Takes note of processes that have registered since. Gives the stamp up to which none can
    /// be missing.
    fn register(&mut self, at: Stamp) -> Stamp {
        let mut whole = at;
        let mut new = Vec::new();
        for (index, entry) in self.memory.processes().skip(self.processes.len()) {
            let state = entry.state.load(Acquire);
            if state == ProcessState::Free as u32 {
                whole = self.watermark;
                break;
            }
            let refused = state == ProcessState::Refused as u32;
            let refusal = refused.then(|| Refusal::from_u32(entry.refusal.load(Relaxed)));
            let pid = entry.pid.load(Relaxed);
            let forked_from = entry.forked_from.load(Relaxed).checked_sub(1);
            let stamp = Stamp(entry.began.load(Relaxed));
            new.push((index, pid, forked_from, stamp, refusal, program(entry)));
        }
        for (index, pid, forked_from, stamp, refused, program) in new {
            let before = self.processes.iter().rposition(|other| other.pid == pid && !other.ended);
            if let Some(replaced) = before {
                self.processes[replaced].ended = true;
                let payload = Payload::ProcessEnded(Exit::Replaced);
                self.control(stamp, replaced as u32, payload);
            }
            let mut process = procfs::describe(pid, program);
            process.forked_from = forked_from;
            if let Some(parent) = forked_from.and_then(|n| self.processes.get(n as usize)) {
                // A child is its parent's image, whatever it has executed since.
                process.name = parent.name.clone();
                process.program = parent.program.clone();
            }
            let (name, program) = (process.name.clone(), process.program.clone());
            let lost = [0; 3];
            let (began, ended) = (stamp, false);
            self.processes.push(Traced { pid, began, name, program, ended, refused, lost });
            self.control(stamp, index, Payload::ProcessBegan(Box::new(process)));
            if index == 0 {
                self.say_facts(stamp);
            }
        }
        whole
    }

    /// What the collector itself has to say at this moment: epochs, samples, marks, ends, losses.
    fn say(&mut self, at: Stamp) {
        let elapsed = self.began.elapsed();
        if elapsed >= self.due.alive {
            self.due.alive = elapsed + ALIVE_EVERY;
            self.watch_ends(at);
        }
        let mut marks = Vec::new();
        if let Some(listener) = &self.marks {
            // Stamped when taken, which is before it is acknowledged.
            listener.poll(|mark| marks.push((now(), mark)));
        }
        for (stamp, mark) in marks {
            self.control(stamp, 0, Payload::Mark(Box::new(mark)));
        }
        if elapsed >= self.due.epoch && !self.processes.is_empty() {
            self.due.epoch = elapsed + EPOCH.max(elapsed / EPOCHS);
            let modules_due = elapsed >= self.due.modules;
            if modules_due {
                self.due.modules = elapsed + MODULES_EVERY;
            }
            for index in 0..self.processes.len() {
                if self.processes[index].ended {
                    continue;
                }
                if modules_due {
                    self.control(at, index as u32, Payload::RefreshModules);
                }
                if let Some(value) = procfs::resident_bytes(self.processes[index].pid) {
                    let payload = Payload::Sample { metric: Metric::Rss, value };
                    self.control(at, index as u32, payload);
                }
            }
            self.control(at, 0, Payload::Epoch);
        }
        let counted: Vec<[u64; 3]> =
            self.memory.processes().map(|(_, entry)| unclaimed(entry)).collect();
        for (index, lost) in counted.into_iter().enumerate().take(self.processes.len()) {
            let before = std::mem::replace(&mut self.processes[index].lost, lost);
            let origin = Origin { process: index as u32, tid: 0 };
            let since = not_before(self.watermark, self.processes.get(index));
            for n in 0..LOST.len() {
                say_lost(
                    &mut self.merge,
                    since,
                    origin,
                    LOST[n],
                    lost[n].saturating_sub(before[n]),
                );
            }
        }
    }

    fn watch_ends(&mut self, at: Stamp) {
        let target = (self.target.pid(), self.target.ended());
        for index in 0..self.processes.len() {
            let process = &self.processes[index];
            if process.ended {
                continue;
            }
            let ended = match target {
                (pid, status) if pid == process.pid => status.map(exit),
                _ => (!procfs::is_alive(process.pid)).then_some(Exit::Unknown),
            };
            if let Some(exit) = ended {
                self.processes[index].ended = true;
                // What its threads had published by now must come before its end.
                self.read_all_of(index as u32, at);
                self.control(now(), index as u32, Payload::ProcessEnded(exit));
            }
        }
        self.release_threads_gone();
    }

    fn read_all_of(&mut self, process: u32, at: Stamp) {
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let writer = self.memory.writer(index);
            let state = writer.state.load(Acquire);
            if state != WriterState::Free as u32 && writer.process.load(Relaxed) == process {
                self.read(index, state, at, &mut Stamp(u64::MAX));
            }
        }
    }

    /// Gives back the writers of threads that ended without saying so.
    fn release_threads_gone(&mut self) {
        let live = self
            .memory
            .writers()
            .filter(|(_, writer)| writer.state.load(Relaxed) == WriterState::Live as u32)
            .count();
        if live < self.writers.len() / 2 {
            return;
        }
        for (index, process) in self.processes.iter().enumerate() {
            if process.ended {
                continue;
            }
            let threads = procfs::threads(process.pid);
            for (_, writer) in self.memory.writers() {
                let tid = writer.tid.load(Relaxed);
                if writer.process.load(Relaxed) as usize == index
                    && writer.state.load(Acquire) == WriterState::Live as u32
                    && tid != 0
                    && !threads.contains(&tid)
                {
                    writer.state.store(WriterState::Ended as u32, Release);
                }
            }
        }
    }

    fn say_facts(&mut self, stamp: Stamp) {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let system = [
            ("kernel", read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned())),
            ("distribution", read("/etc/os-release").and_then(|text| pretty_name(&text))),
        ];
        for (subject, value) in system {
            let fact = Fact { kind: FactKind::System, subject: subject.to_owned(), value };
            self.control(stamp, 0, Payload::Fact(Box::new(fact)));
        }
    }

    fn control(&mut self, stamp: Stamp, process: u32, payload: Payload) {
        let origin = Origin { process, tid: 0 };
        self.merge.push(Lane(0), Record { stamp, origin, payload });
    }

    fn finish(&mut self) -> Result<Exit, CollectError> {
        self.memory.close();
        barrier();
        let at = now();
        // A short-lived program may have come and gone since the last pass.
        self.register(at);
        for index in 0..self.processes.len() {
            self.read_all_of(index as u32, at);
        }
        let last = now();
        self.control(last, 0, Payload::Epoch);
        for index in 0..self.processes.len() {
            if !self.processes[index].ended {
                self.control(last, index as u32, Payload::ProcessEnded(Exit::StillRunning));
            }
        }
        let translator = &mut self.translator;
        self.merge.release(Stamp(u64::MAX), usize::MAX, |record| translator.translate(record));
        if let Some(error) = self.translator.failure() {
            return Err(CollectError::Sink(error));
        }
        let exit = self.target.ended().map_or(Exit::StillRunning, exit);
        if self.processes.is_empty() {
            return Err(CollectError::NeverReported {
                exit: describe(exit),
                why: String::from(
                    "it, or a program it started, may clear its environment, change its privileges, or \
                     run where this one's files are not seen",
                ),
            });
        }
        if let Some(refusal) = self.processes.iter().find_map(|process| process.refused)
            && self.processes.iter().all(|process| process.refused.is_some())
        {
            return Err(CollectError::Refused(match refusal {
                Refusal::NoFindObject => {
                    "the C library has no _dl_find_object, which glibc has since 2.35; use a newer \
                     system, or attach"
                }
                Refusal::NoAllocator => "the program's own malloc could not be found",
                Refusal::None => "no reason was given",
            }));
        }
        Ok(exit)
    }
}

/// Since when what is found lost now may have been lost: everything that was handed on is older,
/// and everything that is not yet may already suffer from the loss. Said later, it would let a
/// free whose allocation was lost accuse somebody of freeing twice.
fn not_before(watermark: Stamp, process: Option<&Traced>) -> Stamp {
    watermark.max(process.map_or(Stamp(0), |process| process.began))
}

fn say_lost(merge: &mut Merge, stamp: Stamp, origin: Origin, what: Lost, count: u64) {
    if count > 0 {
        merge.push(Lane(0), Record { stamp, origin, payload: Payload::Lost { what, count } });
    }
}

fn losses(writer: &Writer) -> [u64; 3] {
    [
        writer.lost_allocations.load(Relaxed) + writer.reentrant_allocations.load(Relaxed),
        writer.lost_frees.load(Relaxed) + writer.reentrant_frees.load(Relaxed),
        writer.lost_stacks.load(Relaxed),
    ]
}

fn unclaimed(entry: &Process) -> [u64; 3] {
    [entry.lost_allocations.load(Relaxed), entry.lost_frees.load(Relaxed), 0]
}

/// The path of a process's program, as it said itself.
fn program(entry: &Process) -> Option<PathBuf> {
    let bytes: Vec<u8> =
        entry.program.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
    let path = bytes.split(|byte| *byte == 0).next().filter(|path| !path.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

/// Makes a writer free for the next thread.
fn reset(writer: &Writer) {
    for counter in [
        &writer.head,
        &writer.tail,
        &writer.lost_allocations,
        &writer.lost_frees,
        &writer.lost_stacks,
        &writer.reentrant_allocations,
        &writer.reentrant_frees,
    ] {
        counter.store(0, Relaxed);
    }
    writer.pending.store(0, Relaxed);
    writer.state.store(WriterState::Free as u32, Release);
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("it ended with status {status}"),
        Exit::Signal(signal) => format!("it was ended by signal {signal}"),
        _ => String::from("how it ended is not known"),
    }
}

fn pretty_name(os_release: &str) -> Option<String> {
    let line = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}
