#![no_std]
//! The library that unfreed preloads into a traced process.
