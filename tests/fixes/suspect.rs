//! A suspect for the matcher, built piece by piece; everything is owned here and lent to it.

use unfreed::event::{Fact, FactKind, Function};
use unfreed::fixes::{
    Catalogue, Evidence, EvidenceFrame, EvidenceKind, MAX_MATCHES, Match, Standing, Status,
    explain, match_suspect,
};
use unfreed_symbols::{ModuleIdentity, Package, PackageManager};

#[derive(Clone)]
pub struct Suspect {
    kind: EvidenceKind,
    process: String,
    modules: Vec<ModuleIdentity>,
    stack: Vec<(Option<usize>, Option<String>)>,
    complete: bool,
    blame: Option<usize>,
    function: Function,
    bytes: Option<(u64, u64, u64)>,
    blocks: Option<f64>,
    facts: Vec<Fact>,
}

impl Suspect {
    pub fn accumulating(process: &str) -> Suspect {
        Suspect {
            kind: EvidenceKind::Accumulation,
            process: process.to_owned(),
            modules: Vec::new(),
            stack: Vec::new(),
            complete: true,
            blame: None,
            function: Function::Unknown,
            bytes: None,
            blocks: None,
            facts: Vec::new(),
        }
    }

    pub fn over_released(process: &str) -> Suspect {
        Suspect { kind: EvidenceKind::OverRelease, ..Suspect::accumulating(process) }
    }

    /// Maps a module; an empty version is one that was not read.
    pub fn module(mut self, name: &str, version: &str) -> Suspect {
        let file_version = Some(version.to_owned()).filter(|version| !version.is_empty());
        let name = name.to_owned();
        self.modules.push(ModuleIdentity { name, file_version, ..ModuleIdentity::default() });
        self
    }

    /// The build-id of the module mapped last.
    pub fn build_id(mut self, id: &str) -> Suspect {
        self.modules.last_mut().unwrap().build_id = Some(id.to_owned());
        self
    }

    /// The size of the file of the module mapped last.
    pub fn size(mut self, bytes: u64) -> Suspect {
        self.modules.last_mut().unwrap().file_size = Some(bytes);
        self
    }

    /// Another kind of suspect.
    pub fn of_kind(mut self, kind: EvidenceKind) -> Suspect {
        self.kind = kind;
        self
    }

    /// Says which package owns the module mapped last.
    pub fn package(mut self, manager: PackageManager, version: &str, of: Option<&str>) -> Suspect {
        let module = self.modules.last_mut().unwrap();
        module.package = Some(Package {
            manager,
            name: module.name.clone(),
            version: version.to_owned(),
            architecture: None,
            distribution: of.map(str::to_owned),
        });
        self
    }

    /// Adds a frame outside the last; its module is the first mapped one of this name.
    pub fn frame(mut self, module: &str, function: &str) -> Suspect {
        let module = self.modules.iter().position(|m| m.name.eq_ignore_ascii_case(module));
        let function = Some(function.to_owned()).filter(|function| !function.is_empty());
        self.stack.push((module, function));
        self
    }

    /// Adds a frame and makes it the blame frame.
    pub fn blame(mut self, module: &str, function: &str) -> Suspect {
        self.blame = Some(self.stack.len());
        self.frame(module, function)
    }

    pub fn cut_short(mut self) -> Suspect {
        self.complete = false;
        self
    }

    pub fn allocated_by(mut self, function: Function) -> Suspect {
        self.function = function;
        self
    }

    pub fn bytes(mut self, bytes: u64) -> Suspect {
        self.bytes = Some((bytes, bytes, bytes));
        self
    }

    pub fn blocks(mut self, blocks: f64) -> Suspect {
        self.blocks = Some(blocks);
        self
    }

    pub fn fact(mut self, kind: FactKind, subject: &str, value: Option<&str>) -> Suspect {
        let value = value.map(str::to_owned);
        self.facts.push(Fact { kind, subject: subject.to_owned(), value });
        self
    }

    pub fn product(self, name: &str, level: &str) -> Suspect {
        self.fact(FactKind::Product, name, Some(level))
    }

    pub fn evidence(&self) -> Evidence<'_> {
        Evidence {
            kind: self.kind,
            process: &self.process,
            blame: self.blame,
            stack: self
                .stack
                .iter()
                .map(|(module, function)| EvidenceFrame {
                    module: module.map(|at| &self.modules[at]),
                    function: function.as_deref(),
                })
                .collect(),
            stack_complete: self.complete,
            modules: self.modules.iter().collect(),
            function: self.function,
            bytes_per_call: self.bytes,
            blocks_per_event: self.blocks,
            facts: &self.facts,
        }
    }
}

/// Holds a suspect against a catalogue and expects one entry to come out with this status, and first
/// if it fits at all. The short and the full judgement must agree on every entry.
pub fn check(catalogue: &Catalogue, suspect: &Suspect, id: &str, status: Status) -> Match {
    let evidence = suspect.evidence();
    let all = explain(catalogue, &evidence);
    assert_eq!(all.len(), catalogue.entries().len(), "explain leaves nothing out");
    let mut fitting: Vec<_> =
        all.iter().filter(|m| m.status != Status::DoesNotApply).cloned().collect();
    fitting.truncate(MAX_MATCHES);
    let given = match_suspect(catalogue, &evidence);
    let ids = |matches: &[Match]| matches.iter().map(|m| m.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&given), ids(&fitting), "the index and the quick no leave nothing out");
    assert!(given == fitting, "the quick no is the full one");
    for found in &all {
        assert!((0.0..=1.0).contains(&found.confidence), "{found:?}");
        let no = found.reasons.iter().any(|reason| reason.standing == Standing::No);
        assert!(no || found.status != Status::DoesNotApply || found.reasons.len() > 1);
        assert!(found.reasons.iter().all(|reason| !reason.text.is_empty()), "{found:?}");
    }
    let found = all.iter().find(|found| found.id == id).expect("the entry is in the catalogue");
    assert_eq!(found.status, status, "{id}: {:#?}", found.reasons);
    if status != Status::DoesNotApply {
        assert_eq!(all[0].id, id, "{id} comes first");
    }
    found.clone()
}

/// Whether a match gives a reason of this clause and standing that contains this text.
pub fn says(found: &Match, clause: &str, standing: Standing, text: &str) {
    let reason = found
        .reasons
        .iter()
        .find(|r| r.clause == clause && r.standing == standing && r.text.contains(text));
    assert!(reason.is_some(), "no {clause} {standing:?} with `{text}` in {:#?}", found.reasons);
}
