//! Which published fixes a module lacks, by versions alone: whether it does what a fix is about its version does not say.

use unfreed_symbols::ModuleIdentity;

use super::view::{View, is_called};
use super::{Judgement, judge_line};
use crate::event::{Fact, Function};
use crate::fixes::catalogue::Catalogue;
use crate::fixes::entry::{End, Entry, Line};
use crate::fixes::evidence::{Evidence, EvidenceKind};
use crate::fixes::version::Version;

/// The fixes whose fixed version is stated and above the module's, with that version, in the catalogue's order.
pub fn lacking<'c>(
    catalogue: &'c Catalogue,
    module: &ModuleIdentity,
    facts: &[Fact],
) -> Vec<(&'c str, &'c Version)> {
    let evidence = Evidence {
        kind: EvidenceKind::Untraced,
        process: "",
        blame: None,
        stack: Vec::new(),
        stack_complete: false,
        // Alone: one of the same name elsewhere is not to stand for it.
        modules: vec![module],
        function: Function::Malloc,
        bytes_per_call: None,
        blocks_per_event: None,
        facts,
    };
    let view = View::new(catalogue, &evidence);
    let entries = catalogue.entries();
    entries.filter_map(|entry| Some((entry.id.as_str(), fixed(entry, module, &view)?))).collect()
}

/// The version that the module is below.
fn fixed<'c>(entry: &'c Entry, module: &ModuleIdentity, view: &View<'_>) -> Option<&'c Version> {
    entry.lines.iter().find_map(|line: &Line| {
        let file = line.files.iter().find(|file| is_called(module, &file.name))?;
        let before = match &file.end {
            End::Before(version) => Some(version),
            End::Through(_) | End::NotStated => None,
        };
        let version = file.fixed.as_ref().or(before)?;
        (judge_line(entry, line, view).0 == Judgement::Affected).then_some(version)
    })
}
