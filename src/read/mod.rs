//! Recorded sources: readers that turn bytes into events and counted faults.
