//! The report: one model, and pure functions from it to bytes.

pub mod model;
