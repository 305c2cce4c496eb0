//! Live sources: what watches a running process. `unsafe` and FFI stay in here.
//!
//! A live source yields the same events as a recorded one, in time order, to one callback. It
//! judges nothing and names nothing.

#[cfg(target_os = "linux")]
pub mod agent;
#[cfg(target_os = "linux")]
pub mod ebpf;
pub mod etw;
#[cfg(target_os = "linux")]
pub mod mark;
#[cfg(target_os = "linux")]
pub mod scan;
pub mod sink;
#[cfg(target_os = "linux")]
pub mod unit;
