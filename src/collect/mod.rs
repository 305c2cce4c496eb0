//! Live sources: what watches a running process. `unsafe` and FFI stay in here.
//!
//! A live source yields the same events as a recorded one, in time order, to one callback. It
//! judges nothing and names nothing.

pub mod agent;
pub mod ebpf;
pub mod mark;
pub mod scan;
pub mod sink;
pub mod unit;
