//! What the end-to-end tests need around unfreed: compiled test programs, processes with a time
//! limit, a broker and mail servers with their load, and the independent unwinder's records.
//!
//! Used as `mod support;` from an integration test. It knows nothing of unfreed's own types, so
//! that it can contradict them. Everything here panics with a message that says what was expected:
//! it is test code. Nothing is ever found or ended by name, only by process id.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[cfg(target_os = "linux")]
pub mod broker;
#[cfg(target_os = "linux")]
pub mod compile;
#[cfg(target_os = "linux")]
pub mod delivery;
pub mod estimate;
#[cfg(target_os = "linux")]
pub mod imap;
#[cfg(target_os = "linux")]
pub mod mail;
#[cfg(target_os = "linux")]
pub mod mqtt;
pub mod npm;
#[cfg(target_os = "linux")]
pub mod oracle;
#[cfg(target_os = "linux")]
pub mod peak;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
pub mod procfs;
#[cfg(target_os = "linux")]
pub mod programs;
#[cfg(target_os = "linux")]
pub mod signal;
pub mod skip;
#[cfg(target_os = "linux")]
pub mod smtp;
#[cfg(target_os = "linux")]
pub mod terminal;
#[cfg(target_os = "linux")]
pub mod wine;

pub(crate) use skip::{require, skip};
