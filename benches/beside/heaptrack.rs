//! heaptrack, and the list that `heaptrack_print` calls leaks: whatever was not freed when the program had ended.

use std::process::Command;

use crate::named::{Named, Row, Rows};
use crate::programs::{Run, plain};

/// Runs it.
pub fn run(run: &Run) -> Rows {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("heaptrack");
    // Where its window is installed it would open it at the end, and wait.
    let words = ["env", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY", "heaptrack", "-o"];
    let mut words: Vec<_> = words.map(Into::into).into();
    words.push(output.into());
    run.under(&words, &plain()).expect_code(0);
    let written = std::fs::read_dir(directory.path()).unwrap().next().expect("its file").unwrap();
    let sections = ["-l", "1", "-p", "0", "-a", "0", "-T", "0"];
    let everything = ["-n", "1000", "-s", "1000"];
    let mut print = Command::new("heaptrack_print");
    print.args(sections).args(everything).arg("-f").arg(written.path());
    let done = print.output().unwrap();
    let named = leaks(&String::from_utf8_lossy(&done.stdout));
    vec![(Row::of("heaptrack, leaks in the end", "heaptrack"), named)]
}

/// A place begins with `100B leaked over 5 calls from` and its function; its callers follow, under the same with a colon.
/// Functions stand alone in their lines, before `at FILE` and `in MODULE`.
fn leaks(text: &str) -> Named {
    let mut stacks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().skip_while(|line| *line != "MEMORY LEAKS") {
        if line.ends_with(" calls from") {
            stacks.push(Vec::new());
        } else if line.starts_with("total ") {
            break;
        } else if let Some(stack) = stacks.last_mut() {
            stack.push(line.trim());
        }
    }
    Named::of_stacks(stacks)
}
