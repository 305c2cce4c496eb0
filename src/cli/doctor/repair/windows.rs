//! Sessions of event tracing, and programs' flags in the registry.

use unfreed::collect::etw::undo;

use super::Repaired;

pub(super) fn repair() -> Repaired {
    let undone = undo::repair(&undo::directory());
    let repaired = undone.undone.iter().map(|pid| {
        format!("Put back what unfreed (process {pid}) changed and could not put back itself.")
    });
    let programs =
        undone.programs.iter().map(|name| format!("{name}: its tracing flag is as it was before."));
    Repaired { repaired: repaired.chain(programs).collect(), failed: undone.failed, schema: 0 }
}
