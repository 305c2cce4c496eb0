//! The hot structures alone, as far as they can be called from outside their crates.

#[path = "../../agent/benches/walk.rs"]
mod walk;
#[path = "../../agent/benches/young.rs"]
#[allow(dead_code, reason = "divan runs what both files have, once")]
mod young;

/// Measures with divan, which prints its own table; gives what is to be said of it.
pub fn section() -> String {
    println!("### The hot structures\n\n```text");
    walk::main();
    format!("```\n\n{UNREACHED}")
}

const UNREACHED: &str = "\
The cache of rules is private to the unwinder: the difference of two depths of a walk from nothing is
the price of hits. A thread's ring is compiled into the preloaded library alone, where it would replace
the benchmark's own malloc: the added cost of a pair, above, holds it.
";
