//! Call stacks without frame pointers, from the program's own `.eh_frame`; musl's, which has none, from
//! its code.
//!
//! A walk needs three registers and, for each return address, one rule that says where the
//! caller's are. Rules are read from the tables once and cached by return address; modules are
//! found without the loader's lock. Nothing here allocates or writes
//! outside the cache, and only memory between the stack pointer and the stack's end is read.

mod cache;
mod code;
mod find;
mod instruction;
mod memory;
mod program;
mod reader;
mod rule;
mod table;
mod trail;
mod walk;

pub use cache::{Change, generation, new_generation, return_to};
pub use find::{Object, find_object, is_musl, prepare, usable};
pub use memory::{FIRST_STACK_END, pointer, thread_pointer};
pub use rule::{Base, Next, Rule, Saved};
pub use trail::Trail;
pub use walk::{MAX_DEPTH, Registers, Walked, interrupts, return_address, walk};
