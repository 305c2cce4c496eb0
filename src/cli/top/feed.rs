//! The way from whoever watches or reads to the thread that folds: events in batches, in order. It holds about a second of a
//! busy program, so that judging holds nobody up; where it is full whoever feeds it waits, and a watched program's rings say
//! what they lose.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use unfreed::event::{Event, What};
use unfreed::read::Fault;
use unfreed::read::case::PartSeen;
use unfreed::read::trace::Header;

/// Events in a batch, unless an epoch ends before.
const BATCH: usize = 4096;
/// Batches on their way.
const BATCHES: usize = 256;

/// Emptied batches that are kept to be filled again.
const SPARE: usize = 4;

/// What the folding thread is told.
pub enum Told {
    /// The next events.
    Events(Vec<Event>),
    /// That was all.
    Ended {
        /// What the source says of itself.
        header: Box<Header>,
        /// What could not be read.
        faults: Vec<Fault>,
        /// The recordings, where there were several.
        parts: Vec<PartSeen>,
        /// The files that hold all of it and can be read again; none where nothing was recorded.
        files: Vec<PathBuf>,
    },
    /// Nothing more can be had; why is told elsewhere.
    Broken,
}

/// Batches that were folded. Memory of a megabyte that is asked of the system for each batch costs more than filling it.
#[derive(Clone, Default)]
pub struct Spare(Arc<Mutex<Vec<Vec<Event>>>>);

impl Spare {
    /// Takes a batch back.
    pub fn give_back(&self, mut batch: Vec<Event>) {
        batch.clear();
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(batch);
        }
    }

    fn get(&self) -> Vec<Event> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(BATCH))
    }
}

/// The near end.
#[derive(Clone)]
pub struct Feed {
    batch: Vec<Event>,
    spare: Spare,
    sender: SyncSender<Told>,
}

/// The far end.
pub struct Fed {
    /// What is told.
    pub told: Receiver<Told>,
    /// Where folded batches go.
    pub spare: Spare,
}

impl Feed {
    /// Both ends.
    pub fn new() -> (Feed, Fed) {
        let (sender, told) = sync_channel(BATCHES);
        let spare = Spare::default();
        (Feed { batch: Vec::new(), spare: spare.clone(), sender }, Fed { told, spare })
    }

    /// Sends the next event; what does not fill a batch goes with the next epoch.
    pub fn take(&mut self, event: &Event) {
        self.batch.push(event.clone());
        if self.batch.len() >= BATCH || event.what == What::Epoch {
            self.flush();
        }
    }

    /// Sends events as they are.
    pub fn send(&mut self, events: Vec<Event>) {
        // Whoever folds is there for as long as there is anything to fold.
        let _ = self.sender.send(Told::Events(events));
    }

    /// Sends what is left, and the end.
    pub fn end(&mut self, end: Told) {
        self.flush();
        let _ = self.sender.send(end);
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let empty = self.spare.get();
            let batch = std::mem::replace(&mut self.batch, empty);
            self.send(batch);
        }
    }
}
