//! The report: one model, and pure functions from it to bytes. [`assemble()`] makes it from what
//! was counted and judged; [`text`] is for people, [`json`] for programs; [`diff`] holds two
//! traces against each other. What crash dumps tell comes from [`crashes()`], which
//! published fixes modules lack from [`inventory()`]. Nothing here writes: one caller does.

mod assemble;
pub(crate) mod blamed;
mod crash;
pub mod diff;
pub mod flame;
mod history;
pub mod html;
pub mod json;
mod known;
pub mod markdown;
mod memory;
pub mod model;
pub(crate) mod modules;
mod ran;
mod reach;
mod source;
pub(crate) mod stacks;
pub mod text;
mod time_of_day;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod triage;
pub mod uncertain;
mod witness;

pub(crate) use assemble::listed;
pub use assemble::{Matcher, Material, assemble};
pub use crash::{CrashMatcher, crashes};
pub use modules::{ModuleMatcher, inventory};
pub use ran::{Ran, ran};
