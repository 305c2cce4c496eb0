//! The live dashboard: event -> state -> draw. What is judged comes as a [`Snapshot`], what the user does as an [`Input`];
//! [`State`] folds both and says what is to be done besides ([`Effect`]); [`draw()`] makes a frame of it. Nothing here reads a
//! clock, a file or a terminal, so that every screen can be made in a test.

mod changes;
mod draw;
mod flame;
mod input;
mod redraws;
mod snapshot;
mod state;
mod table;

pub use draw::draw;
pub use input::{Effect, Input, Key, Leave};
pub use redraws::Redraws;
pub use snapshot::{MarkShown, MemoryCurve, OwnCost, Phase, Progress, Snapshot};
pub use state::{Played, Setting, State, View};
