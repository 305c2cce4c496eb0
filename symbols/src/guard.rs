//! A panic of somebody else's parser becomes no answer. That of PDBs indexes with what a file says, so that a damaged one
//! makes it panic; nothing of ours is left half changed, since it only reads. Its message would look like a crash of ours:
//! the panic hook passes over it, on this thread and while it parses, and over nothing else.

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_panic_becomes_none_and_other_threads_keep_theirs() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic!("not to be seen") }), None);
        let elsewhere = guarded(|| std::thread::spawn(|| WITHIN.get()).join().unwrap());
        assert_eq!(elsewhere, Some(false), "the hook passes over this thread's panics alone");
        assert!(!WITHIN.get(), "and only while it parses");
    }
}
