//! Reads the recordings as they were told, and has the judge look at each again and again on the way: whom it
//! accuses while the daemons run, and whom in the end. Nothing here knows what is innocent: whoever is accused is told,
//! with what it rests on.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use unfreed::event::{ProcessId, StackId, What};
use unfreed::ledger::{Image, Ledger};
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::{Header, Reader};
use unfreed::report::model::Suspect;
use unfreed::report::{Material, assemble};
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, Judged, judge};

use crate::soak::traces;

/// Seconds between two looks: at first, after [`LATER`] seconds, and after [`LATE`].
const EVERY: [u64; 3] = [5, 10, 30];
const LATER: u64 = 60;
const LATE: u64 = 300;
/// From here on a site that grows came near to being accused; below it the judge calls it something else.
pub const NEAR: f64 = 0.5;
/// What the judge said of one recording.
#[derive(Debug)]
pub struct Seen {
    /// The daemon.
    pub name: String,
    /// Process images.
    pub processes: usize,
    /// Seconds of observation, over all of them.
    pub process_seconds: f64,
    /// Of these, seconds of epochs in which they allocated anything.
    pub working_seconds: f64,
    /// Blocks allocated.
    pub allocations: u64,
    /// Sites.
    pub sites: usize,
    /// Allocations and frees that were lost.
    pub lost: u64,
    /// How often was looked.
    pub looks: u64,
    /// How many looks accused anybody.
    pub accusing: u64,
    /// Whoever was accused, or nearly.
    pub sightings: Vec<Sighting>,
    /// Blocks that are said to be freed twice, in the end.
    pub over_releases: usize,
}

/// A site that was accused, or nearly, at some look.
#[derive(Debug)]
pub struct Sighting {
    /// It as it was when the judge was surest.
    pub suspect: Suspect,
    /// When that was, and when its process began.
    pub at: f64,
    pub began: f64,
    /// How many looks saw it grow, and how many accused it.
    pub near: u64,
    pub accused: u64,
    /// Whether the last of the looks accused it.
    pub accused_last: bool,
    /// What it was called in the end, after the daemon had been stopped.
    pub in_the_end: String,
    /// Whether it was accused in the end.
    pub accused_in_the_end: bool,
}

/// Looks at every recording in a directory.
pub fn look(directory: &Path) -> Vec<Seen> {
    traces(directory)
        .into_iter()
        .map(|(name, path)| {
            eprintln!("looking at {name} ...");
            Looking::new(&path).run(name)
        })
        .collect()
}

/// One recording while it is read.
struct Looking {
    reader: Reader<File>,
    header: Header,
    ledger: Ledger,
    namer: Namer,
    looks: u64,
    accusing: u64,
    sightings: BTreeMap<(ProcessId, StackId), Sighting>,
}

impl Looking {
    fn new(path: &Path) -> Looking {
        let reader = Reader::new(File::open(path).unwrap()).unwrap();
        Looking {
            header: reader.header().clone(),
            reader,
            ledger: Ledger::default(),
            namer: Namer::new(Store::new(StoreOptions::from_environment(Vec::new()))),
            looks: 0,
            accusing: 0,
            sightings: BTreeMap::new(),
        }
    }

    fn run(mut self, name: String) -> Seen {
        let mut events = Vec::new();
        let mut next = EVERY[0];
        while self.reader.next_chunk(&mut events).unwrap() {
            for event in &events {
                self.ledger.apply(event);
                if event.what == What::Epoch && event.time.seconds() >= next as f64 {
                    self.look();
                    while event.time.seconds() >= next as f64 {
                        next += EVERY[usize::from(next >= LATER) + usize::from(next >= LATE)];
                    }
                }
            }
        }
        // As of a recording that was cut: what could be read is looked at.
        for fault in self.reader.faults() {
            eprintln!("  {name}: {}", fault.what);
        }
        let last = judge(&self.ledger);
        self.conclude(&last);
        let Looking { ledger, .. } = &self;
        let seconds = |image: &Image| (ledger.end(image).0 - image.began.0) as f64 / 1e9;
        let lost = ledger.lost();
        Seen {
            name,
            processes: ledger.images().len(),
            process_seconds: ledger.images().iter().map(seconds).sum(),
            working_seconds: ledger.images().iter().map(|image| working(ledger, image)).sum(),
            allocations: ledger.totals().allocations,
            sites: ledger.sites().count(),
            lost: lost.allocations + lost.frees + lost.events,
            looks: self.looks,
            accusing: self.accusing,
            sightings: self.sightings.into_values().collect(),
            over_releases: last.over_releases.len(),
        }
    }

    fn look(&mut self) {
        let assessment = judge(&self.ledger);
        self.looks += 1;
        self.accusing += u64::from(!assessment.suspects(DEFAULT_MIN_CONFIDENCE).is_empty());
        self.sightings.values_mut().for_each(|sighting| sighting.accused_last = false);
        for judged in assessment.suspects(NEAR) {
            self.sight(judged);
            let key = (judged.process, judged.stack);
            let sighting = self.sightings.get_mut(&key).expect("sighted");
            sighting.accused_last = judged.confidence >= DEFAULT_MIN_CONFIDENCE;
            sighting.near += 1;
            sighting.accused += u64::from(sighting.accused_last);
        }
    }

    /// Keeps a site as it is when the judge is surest of it.
    fn sight(&mut self, judged: &Judged) {
        let key = (judged.process, judged.stack);
        let known = self.sightings.get(&key).map(|known| known.suspect.confidence);
        if known.is_some_and(|known| known >= judged.confidence) {
            return;
        }
        let alone = Assessment { sites: vec![judged.clone()], ..Assessment::default() };
        let material = Material {
            header: &self.header,
            ledger: &self.ledger,
            assessment: &alone,
            faults: &[],
            parts: &[],
            min_confidence: NEAR,
        };
        let mut report = assemble(material, &mut self.namer, &|_| Vec::new());
        let suspect = report.suspects.pop().expect("it grows");
        let at = self.ledger.now().seconds();
        let began = self.ledger.image(judged.process).expect("it ran").began.seconds();
        let sighting = self.sightings.entry(key).or_insert_with(|| Sighting {
            suspect: suspect.clone(),
            at,
            began,
            near: 0,
            accused: 0,
            accused_last: false,
            in_the_end: String::new(),
            accused_in_the_end: false,
        });
        (sighting.suspect, sighting.at) = (suspect, at);
    }

    fn conclude(&mut self, last: &Assessment) {
        for judged in last.suspects(NEAR) {
            self.sight(judged);
        }
        for judged in &last.sites {
            if let Some(sighting) = self.sightings.get_mut(&(judged.process, judged.stack)) {
                sighting.in_the_end = format!("{} {:.2}", judged.verdict, judged.confidence);
                sighting.accused_in_the_end =
                    judged.verdict.accumulates() && judged.confidence >= DEFAULT_MIN_CONFIDENCE;
            }
        }
    }
}

/// Seconds of the epochs in which a process allocated anything.
fn working(ledger: &Ledger, image: &Image) -> f64 {
    let (grid, _) = ledger.grid(image);
    let end = ledger.end(image);
    let active = ledger.activity(image).into_iter().enumerate();
    let seconds = active.filter(|(_, epoch)| epoch.allocations > 0).map(|(number, _)| {
        // The last epoch is not over.
        grid.start(number + 1).min(end).seconds() - grid.start(number).min(end).seconds()
    });
    seconds.sum()
}
