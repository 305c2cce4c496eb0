//! Exports for other tools.
