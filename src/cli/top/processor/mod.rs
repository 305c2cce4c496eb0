//! Processor time taken so far.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unasked;

#[cfg(target_os = "linux")]
pub use linux::{process, thread};
#[cfg(not(target_os = "linux"))]
pub use unasked::{process, thread};
