//! A panic gives the terminal back at once: the test runs itself again in a terminal, takes that as `top` does, and panics.

use super::*;

#[path = "../../src/cli/top/terminal/mod.rs"]
#[allow(dead_code, unused_imports, reason = "nothing is drawn")]
mod terminal;

/// Whether this is the run that panics.
const PANICS: &str = "UNFREED_TEST_PANICS";

#[test]
fn a_panic_gives_the_terminal_back() {
    if std::env::var_os(PANICS).is_some() {
        return panics();
    }
    let tmux = support::require!("tmux");
    let test = std::env::current_exe().unwrap();
    let line = format!(
        "{PANICS}=1 {} --exact --nocapture given_back::a_panic_gives_the_terminal_back",
        test.display()
    );
    let terminal = Terminal::start(tmux, SIZE, &line);
    let after = terminal.shows("icanon");
    assert!(after.contains("the dashboard broke"), "{after}");
    assert!(after.contains("exit=0"), "it was taken, and a thread panicked: {after}");
    assert!(after.contains(" icanon") && !after.contains("-icanon"), "{after}");
    let told = terminal.ask(&[
        "display-message",
        "-p",
        "#{alternate_on} #{mouse_any_flag} #{cursor_flag}",
    ]);
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "0 0 1", "screen, mouse, cursor");
}

/// Only the panic gives it back.
fn panics() {
    let taken = terminal::Taken::take(None, false).unwrap_or_else(|e| panic!("{}", e.what()));
    std::mem::forget(taken);
    assert!(std::thread::spawn(|| panic!("the dashboard broke")).join().is_err());
}
