//! What is said of a line that could not be taken.

/// What was wrong with a line that was passed over.
pub(super) type Passed = Result<(), &'static str>;

pub(super) const UNREADABLE: &str = "a line that cannot be read was passed over";
pub(super) const FULL: &str = "the file defines more than 1 GiB of texts, frames, stacks, modules and classes: this was passed over, and \
                               blocks of it have no stack or are not counted; record a shorter time";
