//! valgrind's memcheck: it looks when the program exits (asked by gdb's `monitor leak_check` it would look earlier).

use crate::named::{Named, Row, Rows};
use crate::programs::{Run, plain};

/// Runs it once; what is told with fewer options is a part of that.
pub fn run(run: &Run) -> Rows {
    let words = ["valgrind", "--leak-check=full", "--show-leak-kinds=all"];
    let finished = run.under(&words.map(Into::into), &plain());
    let told = finished.expect_code(0).err();
    let lost = leaks(&told, &["definitely lost", "indirectly lost"]);
    let possibly = leaks(&told, &["possibly lost"]);
    let reachable = leaks(&told, &["still reachable"]);
    vec![
        (Row::beside("valgrind, definitely or indirectly lost in the end"), lost.clone()),
        (
            Row::of("valgrind, possibly lost, too (`--leak-check=full`)", "valgrind"),
            lost.clone().and(possibly.clone()),
        ),
        (
            Row::beside("valgrind, and still reachable (`--show-leak-kinds=all`)"),
            lost.and(possibly).and(reachable),
        ),
    ]
}

/// A place begins with `==1== 50 bytes in 5 blocks are definitely lost in loss record 1 of 2`; frames are
/// `==1==    by 0x109074: FUNCTION (FILE:LINE)`.
fn leaks(text: &str, kinds: &[&str]) -> Named {
    let mut stacks: Vec<Vec<&str>> = Vec::new();
    let mut wanted = false;
    for line in text.lines() {
        if line.contains(" in loss record ") {
            wanted = kinds.iter().any(|kind| line.contains(kind));
            if wanted {
                stacks.push(Vec::new());
            }
        } else if wanted
            && let (Some(stack), Some((_, named))) = (stacks.last_mut(), line.split_once(": "))
        {
            stack.extend(named.split(' ').next());
        }
    }
    Named::of_stacks(stacks)
}
