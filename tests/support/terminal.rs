//! A real terminal, which tmux is, in which a shell runs one command line: keys are sent, the screen is read. Waiting is
//! for what the screen shows, never for a time.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::procfs;

/// On a machine that has other things to do, too.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often the screen is looked at.
pub const POLL: Duration = Duration::from_millis(50);

/// A terminal in a directory of its own. What runs in it is ended with it.
pub struct Terminal {
    directory: TempDir,
    tmux: PathBuf,
}

impl Terminal {
    /// Runs a command line in one of so many columns and rows; then the shell says how it ended, and what the terminal
    /// is like.
    pub fn start(tmux: PathBuf, (columns, rows): (u16, u16), command: &str) -> Terminal {
        let terminal = Terminal { directory: tempfile::tempdir().unwrap(), tmux };
        let [columns, rows] = [columns, rows].map(|count| count.to_string());
        let line = format!("{command}; echo exit=$?; stty -a | grep -o -- ' -\\?icanon'; cat");
        let output = terminal.ask(&["new-session", "-d", "-x", &columns, "-y", &rows, &line]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// Has tmux do this.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.directory.path().join("tmux");
        let mut command = Command::new(&self.tmux);
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments);
        command.current_dir(self.directory.path()).env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        command.output().unwrap()
    }

    /// Of a file in its directory, in which the command runs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Presses keys.
    pub fn keys(&self, keys: &[&str]) {
        assert!(self.ask(&[&["send-keys"], keys].concat()).status.success());
    }

    /// What is on it.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.ask(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until the screen shows something; gives all of it.
    #[track_caller]
    pub fn until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "no {what} on\n{screen}");
            thread::sleep(POLL);
        }
    }

    /// Waits until the screen shows a text; gives all of it.
    #[track_caller]
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// The process in it that runs `unfreed top`.
    #[track_caller]
    pub fn dashboard(&self) -> u32 {
        let shell = self.ask(&["display-message", "-p", "#{pane_pid}"]);
        let shell = String::from_utf8_lossy(&shell.stdout).trim().parse().unwrap();
        let began = Instant::now();
        loop {
            let family = procfs::family(shell);
            if let Some(pid) = family.into_iter().find(|pid| is_dashboard(*pid)) {
                return pid;
            }
            assert!(began.elapsed() < PATIENCE, "no dashboard on\n{}", self.screen());
            thread::sleep(POLL);
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
        // Whatever runs in it gets SIGHUP.
        self.ask(&["kill-server"]);
    }
}
