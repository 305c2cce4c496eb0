//! A systemd service as a source: it is restarted with the agent preloaded by a drop-in, watched,
//! and given back as it was.
//!
//! ```text
//! systemctl show -> properties -> check -> drop-in -> restart -> (agent source) -> drop-in removed
//! ```
//!
//! What the service is allowed to do is never widened: where its sandbox forbids what the agent
//! needs, that is said before anything is touched. The unit's own files are not written either: the
//! drop-in lies under `/run`, and what a killed unfreed left is cleared away by the next one.

mod calls;
mod check;
mod dropin;
mod error;
mod leftover;
mod place;
mod properties;
mod service;
mod systemctl;

pub use check::{Judgement, Numbers, Refusal, judge};
pub use dropin::{DropIn, FILE as DROP_IN_FILE, directory_of};
pub use error::UnitError;
pub use leftover::{Cleared, clear, traced_by};
pub use place::Place;
pub use properties::{Properties, UnitName};
pub use service::{Outcome, Service, Wish};
pub use systemctl::Systemctl;
