//! The terminal, taken over and given back.

#[cfg(not(target_os = "linux"))]
mod console;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use console::{Taken, Window};
#[cfg(target_os = "linux")]
pub use linux::{Taken, Window};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::fail::Failure;

/// Whether a signal asked to end.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Whether one did.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was heard of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something, or nothing yet.
    There,
    /// It is gone.
    Gone,
}

/// Has this done before a panic of any thread is told.
fn on_panic(give_back: fn()) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
}

fn no_terminal() -> Failure {
    Failure::new("top needs a terminal to show anything on")
        .advise("use `unfreed run` or `unfreed analyze` for a report without one")
}
