//! Where the events came from: the recording, or the several of a case, and what their readers had to say.

use super::model::{Note, SeenFrom, Source, SourceFile, Target};
use crate::event::FactKind;
use crate::ledger::Ledger;
use crate::read::case::PartSeen;
use crate::read::trace::Header;

/// Sources that show a process at single moments and trace nothing between them.
const MOMENTS: [&str; 4] = ["debugger", "leakdiag", "minidump", "umdh"];

impl Source {
    /// Whether a recording is of this kind.
    pub fn is_of(&self, kind: &str) -> bool {
        self.kind.split('+').any(|of| of == kind)
    }

    /// Whether all that is known is of single moments.
    pub fn shows_moments(&self) -> bool {
        self.kind.split('+').all(|of| MOMENTS.contains(&of))
    }

    /// Whether all that is known of blocks is: counters tell of none.
    pub fn shows_blocks_at_moments(&self) -> bool {
        self.kind.split('+').all(|of| of == "counters" || MOMENTS.contains(&of))
    }
}

/// The source as the report has it.
pub fn shown(header: &Header, ledger: &Ledger, parts: &[PartSeen], target: &[Target]) -> Source {
    Source {
        kind: header.source.clone(),
        version: header.unfreed.clone(),
        started_unix_s: header.started_unix_ns as f64 / 1e9,
        utc_offset_minutes: header.utc_offset_minutes,
        snapshots: ledger.snapshots().len() as u64,
        from_start: target.iter().all(|target| target.seen_from != SeenFrom::Running),
        files: parts.iter().map(file).collect(),
        notes: notes(ledger),
    }
}

fn file(part: &PartSeen) -> SourceFile {
    SourceFile {
        name: part.name.clone(),
        kind: part.kind.clone(),
        started_unix_s: part.started_unix_ns.map(|ns| ns as f64 / 1e9),
        placed: part.placed,
        events: part.events,
        listed_twice: part.listed_twice,
    }
}

fn notes(ledger: &Ledger) -> Vec<Note> {
    let of_source = [FactKind::Capture, FactKind::ListsSome];
    let facts = ledger.facts().filter(|fact| of_source.contains(&fact.kind));
    let note =
        |fact: &crate::event::Fact| Note { about: fact.subject.clone(), text: fact.value.clone() };
    facts.map(note).collect()
}
