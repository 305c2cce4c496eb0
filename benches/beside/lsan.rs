//! LeakSanitizer, linked in by gcc: it looks when the program exits, and says nothing before.

use crate::named::{Named, Row, Rows};
use crate::programs::{Run, sanitized};

/// Runs it.
pub fn run(run: &Run) -> Rows {
    let finished = run.under(&[], &sanitized());
    let told = finished.err();
    // 23 is its exit status where it found something.
    assert!(matches!(finished.code(), Some(0 | 23)), "{told}");
    vec![(Row::of("LeakSanitizer, in the end", "LeakSanitizer"), leaks(&told))]
}

/// A place begins with `Direct leak of` or `Indirect leak of`; frames are `#1 0x... in FUNCTION FILE:LINE`.
fn leaks(text: &str) -> Named {
    let mut stacks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("Direct leak of") || line.starts_with("Indirect leak of") {
            stacks.push(Vec::new());
        } else if let (Some(stack), Some((_, named))) = (stacks.last_mut(), line.split_once(" in "))
        {
            stack.extend(named.split(' ').next());
        }
    }
    Named::of_stacks(stacks)
}
