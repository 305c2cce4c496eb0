//! Consoles: none, and those that are not whole.

use super::Bench;

#[test]
fn the_screen_without_a_console_is_refused_with_a_remedy() {
    let told = Bench::new().run(["top", "leak.unfreed"]);
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{told:?}");
    let said = told.said();
    assert!(said.contains("top needs a terminal") && said.contains("unfreed analyze"), "{said}");
}

#[test]
fn nothing_is_coloured_that_no_console_shows() {
    let bench = Bench::new();
    let mut command = bench.command(["analyze", "leak.unfreed"]);
    let output = command.env("TERM", "xterm-256color").env_remove("NO_COLOR").output().unwrap();
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}
