//! What `unfreed attach` costs: added to a pair of malloc and free with its whole stack, beside a bpftrace script that
//! does the same; and how many events a second its consumer takes on one processor. Needs root, a C compiler, and
//! bpftrace for its column.
//!
//! `cargo bench --bench attach [-- ROUNDS] [cost|consumer]`. Variants take turns in each round; figures are medians of
//! processor time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod consumer;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod cost;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod pairs;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;

fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let rounds = words.iter().filter_map(|word| word.parse().ok()).next().unwrap_or(3);
        let wants = |what: &str, other: &str| {
            words.iter().any(|word| word == what) || !words.iter().any(|word| word == other)
        };
        let directory = tempfile::tempdir().unwrap();
        let program = pairs::compile(directory.path());
        if wants("cost", "consumer") {
            cost::measure(&program, directory.path(), rounds);
        }
        if wants("consumer", "cost") {
            consumer::measure(&program, directory.path(), rounds);
        }
    }
}
