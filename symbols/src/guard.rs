//! A panic of somebody else's parser becomes no answer. Those of PDBs and version resources index with what
//! a file says, so that a damaged one makes them panic; nothing of ours is left half changed, since they only read. Its message would
//! look like a crash of ours: the panic hook passes over it, and over nothing else.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// What `parse` gives; `None` where it panics.
pub(crate) fn guarded<T>(parse: impl FnOnce() -> T) -> Option<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !WITHIN.get() {
                before(panic);
            }
        }));
    });
    let outer = WITHIN.replace(true);
    // What was changed half is a cache of the parser, which it locks: it panics again, in here.
    let result = panic::catch_unwind(AssertUnwindSafe(parse)).ok();
    WITHIN.set(outer);
    result
}
