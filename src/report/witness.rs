//! What the fixes are told of one site: its stack with names, and what was measured. The one place
//! where the ledger's terms become the matcher's, for suspects and for sites that are none.

use unfreed_symbols::ModuleIdentity;

use super::blamed::Survivor;
use super::model::BytesPerCall;
use crate::event::{Fact, Process, ProcessId, StackId};
use crate::fixes::{self, EvidenceFrame, EvidenceKind};
use crate::ledger::{Image, Ledger, Site, StackEnd};

/// One site, in the ledger's terms.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub kind: EvidenceKind,
    pub process: ProcessId,
    pub stack: StackId,
    pub site: Option<&'a Site>,
    pub blocks_per_event: Option<f64>,
}

/// Tells of sites.
pub struct Witness<'a> {
    ledger: &'a Ledger,
    facts: Vec<Fact>,
}

impl<'a> Witness<'a> {
    pub fn new(ledger: &'a Ledger) -> Self {
        Witness { ledger, facts: ledger.facts().cloned().collect() }
    }

    /// What the matcher may rest on.
    pub fn evidence<'e>(
        &'e self,
        account: Account<'_>,
        survivor: &'e Survivor<'a>,
    ) -> fixes::Evidence<'e> {
        let stack = survivor
            .steps
            .iter()
            .map(|step| EvidenceFrame { module: step.module, function: step.function() })
            .collect();
        let sizes = account.site.and_then(bytes_per_call);
        fixes::Evidence {
            kind: account.kind,
            process: self.process(account.process).map_or("", |process| process.name.as_str()),
            blame: survivor.blame,
            stack,
            stack_complete: self.complete(account.stack),
            modules: self.modules_of(account.process),
            function: account.site.map_or_else(Default::default, Site::function),
            bytes_per_call: sizes.map(|sizes| (sizes.min, sizes.median, sizes.max)),
            blocks_per_event: account.blocks_per_event,
            facts: &self.facts,
        }
    }

    /// A process of the trace.
    pub fn process(&self, process: ProcessId) -> Option<&'a Process> {
        self.ledger.image(process)?.process.as_ref()
    }

    /// A process image's place among the trace's, in order of first sight.
    pub fn index(&self, process: ProcessId) -> usize {
        self.ledger.images().iter().position(|image| image.id == process).unwrap_or_default()
    }

    /// Whether a stack reaches the outermost caller.
    pub fn complete(&self, stack: StackId) -> bool {
        self.ledger.stacks().end(stack) == StackEnd::Complete
    }

    /// Everything known of the target besides.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The modules of a process.
    pub fn modules_of(&self, process: ProcessId) -> Vec<&'a ModuleIdentity> {
        let mappings = self.ledger.image(process).map_or(&[][..], Image::mappings);
        mappings.iter().filter_map(|m| self.ledger.modules().identity(m.module)).collect()
    }
}

/// Bytes per allocation at a site.
pub fn bytes_per_call(site: &Site) -> Option<BytesPerCall> {
    Some(BytesPerCall {
        min: site.sizes.min()?.0,
        median: site.sizes.median()?.0,
        max: site.sizes.max()?.0,
    })
}
