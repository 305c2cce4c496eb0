//! The report: one model, and pure functions from it to bytes. [`assemble()`] makes it from what
//! was counted and judged; [`text`] is for people, [`json`] for programs; [`diff`] holds two
//! traces against each other. Nothing here writes: one caller does.

mod assemble;
mod blamed;
pub mod diff;
pub mod json;
mod known;
pub mod model;
mod modules;
mod ran;
mod reach;
mod stacks;
pub mod text;
pub mod uncertain;
mod witness;

pub use assemble::{Matcher, Material, assemble};
pub use ran::{Ran, ran};
