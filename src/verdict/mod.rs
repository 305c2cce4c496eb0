//! From evidence to verdict.
