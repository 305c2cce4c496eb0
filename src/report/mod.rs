//! The report: one model, and pure functions from it to bytes. [`text`] is for people, [`json`]
//! for programs; [`diff`] holds two traces against each other. Nothing here reads or writes:
//! one caller does.

pub mod diff;
pub mod json;
pub mod model;
pub mod text;
