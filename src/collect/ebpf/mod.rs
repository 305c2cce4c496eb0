//! The eBPF source: attaches to running processes. Nothing is injected into them and nothing is restarted; the kernel
//! runs our probe at the entries and returns of their allocator functions.
//!
//! ```text
//! probe (in the kernel) -> one ring -> drain -> follow (processes, maps) -> translate -> event
//! ```
//!
//! It differs from the agent in what it cannot see: blocks older than the attach, and, of a child that
//! is forked, those of its first moments.

mod chosen;
mod collector;
mod drain;
mod error;
mod exits;
mod functions;
mod growth;
mod kernel;
mod layout;
mod load;
mod losses;
mod memory;
mod modules;
mod obstacle;
mod place;
mod seen;
mod session;
mod sizes;
mod target;
mod walk;
mod who;
mod wine;

pub use error::AttachError;
pub use growth::{Grown, Part, Whose};
pub use session::{Attach, Rehearsed, Wish, rehearse};
pub use sizes::{Kind, Sizes};
pub use who::Who;
