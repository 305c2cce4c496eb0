//! A real terminal, which tmux is, in which one command runs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::skip::tool;

/// On a machine that has other things to do, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A terminal of 120 x 40. What runs in it is ended with it.
pub struct Terminal {
    directory: TempDir,
    tmux: PathBuf,
}

impl Terminal {
    /// Runs a shell's command line, which has no quotes.
    pub fn start(line: &str) -> Terminal {
        let tmux = tool("tmux").expect("tmux is not installed (`apt install tmux`)");
        let terminal = Terminal { directory: tempfile::tempdir().unwrap(), tmux };
        let line = format!("{line}; echo ended; cat");
        let output = terminal.ask(&["new-session", "-d", "-x", "120", "-y", "40", &line]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.directory.path().join("tmux");
        let mut command = Command::new(&self.tmux);
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color");
        command.output().unwrap()
    }

    /// Presses keys.
    pub fn keys(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// What is on it.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.ask(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until it shows a text; gives all of the screen.
    pub fn until(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "no {text} on\n{screen}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The process in it that runs `unfreed top`.
    pub fn dashboard(&self) -> u32 {
        let shell = self.ask(&["display-message", "-p", "#{pane_pid}"]);
        let shell = String::from_utf8_lossy(&shell.stdout).trim().parse().unwrap();
        let began = Instant::now();
        loop {
            let family = crate::support::procfs::family(shell);
            if let Some(pid) = family.into_iter().find(|pid| is_dashboard(*pid)) {
                return pid;
            }
            assert!(began.elapsed() < PATIENCE, "no dashboard on\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn is_dashboard(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = command.split(|byte| *byte == 0);
    let unfreed = words.next().is_some_and(|word| word.ends_with(b"unfreed"));
    unfreed && words.next() == Some(b"top")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.ask(&["kill-server"]);
    }
}
