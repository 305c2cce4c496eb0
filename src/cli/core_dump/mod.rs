//! What a core dump adds to a trace: which blocks are still referenced.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod nowhere;

#[cfg(target_os = "linux")]
pub use linux::look_into;
#[cfg(not(target_os = "linux"))]
pub use nowhere::look_into;
