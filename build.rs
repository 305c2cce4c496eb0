//! Builds what the one binary carries inside.

fn main() {}
