//! Live capture on Windows by event tracing (ETW): heap records of chosen processes, and processes and images of
//! the whole system.
//!
//! What a session is asked for is built as bytes ([`properties`], [`extension`]), and what it delivers is put into
//! the form that it would have in a file ([`delivered`]): so the reader of files is the one decoder there is, and a log
//! written from a live session ([`log`]) says the same as the session did. All of that is plain code that runs and is
//! tested anywhere. What calls Windows is `ffi` alone. Nothing here judges; what is not proven is a counted fault.

pub mod collector;
pub mod delivered;
pub mod error;
pub mod extension;
#[cfg(windows)]
pub mod ffi;
pub mod flag;
#[cfg(windows)]
pub mod host;
pub mod intake;
#[cfg(windows)]
pub mod listener;
pub mod log;
pub mod order;
pub mod own;
pub mod paths;
pub mod properties;
pub mod registry;
#[cfg(windows)]
pub mod session;
#[cfg(windows)]
pub mod suspended;
pub mod trail;
#[cfg(windows)]
pub mod undo;
#[cfg(windows)]
pub mod watching;

pub use error::EtwError;
