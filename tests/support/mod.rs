//! What the end-to-end tests need around unfreed: compiled test programs, processes with a time
//! limit, a broker and mail servers with their load, and the independent unwinder's records.
//!
//! Used as `mod support;` from an integration test. It knows nothing of unfreed's own types, so
//! that it can contradict them. Everything here panics with a message that says what was expected:
//! it is test code. Nothing is ever found or ended by name, only by process id.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod broker;
pub mod compile;
pub mod delivery;
pub mod imap;
pub mod mail;
pub mod mqtt;
pub mod oracle;
pub mod peak;
pub mod process;
pub mod procfs;
pub mod programs;
pub mod signal;
pub mod skip;
pub mod smtp;

pub(crate) use skip::{require, skip};
