//! Live sources: what watches a running process. `unsafe` and FFI stay in here.
