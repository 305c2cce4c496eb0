//! A recording read on one thread, and the same with the dashboard's feed to another thread: one after the other, in processor
//! time of all threads. Nothing is folded: beside what the ledger takes, what the feed does would be lost in the noise.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use unfreed::event::Event;
use unfreed::ledger::Ledger;
use unfreed::read::trace::Reader;

use crate::feed::{Feed, Told};

/// Nanoseconds of a processor for an event: the least of all rounds, since what else the machine does only adds.
pub struct Handing {
    alone: f64,
    fed: f64,
}

impl Handing {
    /// What handing over adds.
    pub fn adds(&self) -> f64 {
        self.fed - self.alone
    }
}

impl fmt::Display for Handing {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handing { alone, fed } = self;
        write!(to, "{:.1} ns ({fed:.1} with it, {alone:.1} without)", self.adds())
    }
}

/// How many events there are, and what handing one over takes.
pub fn handing(trace: &Path, rounds: usize) -> (u64, Handing) {
    let (mut least, mut events) = (Handing { alone: f64::MAX, fed: f64::MAX }, 0);
    for _ in 0..rounds {
        let (count, alone) = taken(|| read(trace, |event| _ = black_box(event.time)));
        let (_, fed) = taken(|| handed(trace));
        events = count;
        let per_event = |took: Duration| took.as_nanos() as f64 / count as f64;
        least.alone = least.alone.min(per_event(alone));
        least.fed = least.fed.min(per_event(fed));
    }
    (events, least)
}

/// A ledger of a recording.
pub fn ledger(trace: &Path) -> Ledger {
    let mut ledger = Ledger::default();
    read(trace, |event| ledger.apply(event));
    ledger
}

fn handed(trace: &Path) -> u64 {
    let (mut feed, fed) = Feed::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(Told::Events(events)) = fed.told.recv() {
                // Each is looked at, as the ledger does.
                events.iter().for_each(|event| _ = black_box(event.time));
                fed.spare.give_back(events);
            }
        });
        let count = read(trace, |event| feed.take(event));
        feed.end(Told::Broken);
        count
    })
}

fn read(trace: &Path, mut each: impl FnMut(&Event)) -> u64 {
    let mut reader = Reader::new(BufReader::new(File::open(trace).unwrap())).unwrap();
    let (mut events, mut count) = (Vec::new(), 0);
    while reader.next_chunk(&mut events).unwrap() {
        events.iter().for_each(&mut each);
        count += events.len() as u64;
        events.clear();
    }
    count
}

fn taken<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let now = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let began = now();
    let done = work();
    (done, now() - began)
}
