//! Runs a program with a time limit and keeps what it wrote.
//!
//! Each program gets a process group of its own, so that Ctrl-C can be imitated without hitting
//! the test runner, and so that nothing it started outlives the limit. A process is only ever
//! signalled while it has not been waited for: its number cannot have been reused.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::signal::{self, Signal};

/// Time enough for any test program on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(120);

/// How often the end of a process is looked for.
const POLL: Duration = Duration::from_millis(2);

/// Runs a program to its end; panics past the limit, after ending it.
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    Running::start(command).finish(limit)
}

/// A program that ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub elapsed: Duration,
}

impl Finished {
    /// The exit status, or `None` where a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The number of the signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// A count that a test program printed as `name=123`; panics where it did not.
    pub fn count(&self, name: &str) -> u64 {
        let out = self.out();
        out.split_ascii_whitespace()
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or_else(|| panic!("no count {name:?} in {out:?}; stderr {:?}", self.err()))
    }

    /// Panics, with everything written, unless it ended with this exit status.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Finished {
        assert_eq!(
            self.code(),
            Some(code),
            "{:?}\nstdout: {}\nstderr: {}",
            self.status,
            self.out(),
            self.err()
        );
        self
    }
}

/// A program that runs. Dropped before its end, it is killed with all it started.
pub struct Running {
    child: Child,
    reaped: bool,
    started: Instant,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts it, in its own process group, with both streams kept and nothing to read.
    pub fn start(command: &mut Command) -> Running {
        Running::launch(command.stdin(Stdio::null()))
    }

    /// Starts it and gives it this to read.
    pub fn start_with_input(command: &mut Command, input: &[u8]) -> Running {
        let mut running = Running::launch(command.stdin(Stdio::piped()));
        let mut stdin = running.child.stdin.take().expect("piped");
        let input = input.to_vec();
        // It may end without reading; that is its affair.
        thread::spawn(move || stdin.write_all(&input));
        running
    }

    /// Starts it with its input open, for [`Running::say`].
    pub fn start_open(command: &mut Command) -> Running {
        let mut running = Running::launch(command.stdin(Stdio::piped()));
        running.stdin = running.child.stdin.take();
        running
    }

    /// Gives it a line to read.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("started with its input open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    fn launch(command: &mut Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Stream::read(child.stdout.take().expect("piped"));
        let stderr = Stream::read(child.stderr.take().expect("piped"));
        Running { child, reaped: false, started: Instant::now(), stdin: None, stdout, stderr }
    }

    /// The process's number, and its group's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        assert!(signal::send(self.pid(), signal), "{} is gone", self.pid());
    }

    /// Sends a signal to the process and all it started, as Ctrl-C in a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        assert!(signal::send_group(self.pid(), signal), "group {} is gone", self.pid());
    }

    /// Waits until standard output holds this text; panics past the limit or when the process ends
    /// its output without it.
    pub fn wait_for(&self, text: &str, limit: Duration) {
        let found = self.stdout.wait_for(text.as_bytes(), limit);
        assert!(
            found,
            "no {text:?} on standard output but {:?}; stderr {:?}",
            String::from_utf8_lossy(&self.stdout.bytes()),
            String::from_utf8_lossy(&self.stderr.bytes())
        );
    }

    /// The same of standard error.
    pub fn wait_for_told(&self, text: &str, limit: Duration) {
        let found = self.stderr.wait_for(text.as_bytes(), limit);
        let told = String::from_utf8_lossy(&self.stderr.bytes()).into_owned();
        assert!(found, "no {text:?} on standard error but {told:?}");
    }

    /// Whether standard error holds this text by now.
    pub fn has_told(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.stderr.bytes()).contains(text)
    }

    /// Whether it has ended; it stays to be waited for.
    pub fn has_ended(&mut self) -> bool {
        self.reaped
            || self.child.try_wait().expect("own child").inspect(|_| self.reaped = true).is_some()
    }

    /// Waits for the end; past the limit it is killed and the test fails.
    pub fn finish(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                self.reaped = true;
                break status;
            }
            if Instant::now() >= deadline {
                self.kill();
                panic!(
                    "still running after {limit:?}; stdout {:?} stderr {:?}",
                    String::from_utf8_lossy(&self.stdout.bytes()),
                    String::from_utf8_lossy(&self.stderr.bytes())
                );
            }
            thread::sleep(POLL);
        };
        let elapsed = self.started.elapsed();
        // Something it started may hold the streams open for longer than it lives.
        let rest = deadline.saturating_duration_since(Instant::now());
        self.stdout.wait_for_end(rest);
        self.stderr.wait_for_end(rest);
        Finished { status, stdout: self.stdout.bytes(), stderr: self.stderr.bytes(), elapsed }
    }

    fn kill(&mut self) {
        if !self.reaped {
            signal::send_group(self.pid(), Signal::Kill);
            // Fails only where it has ended in the meantime; then there is nothing to kill.
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.reaped = true;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One output stream, read by a thread of its own so that the program never waits for us.
struct Stream {
    shared: Arc<(Mutex<Received>, Condvar)>,
    _reader: JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn read(mut source: impl Read + Send + 'static) -> Stream {
        let shared = Arc::new((Mutex::new(Received::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut buffer = [0u8; 8192];
            loop {
                let count = source.read(&mut buffer).unwrap_or(0);
                let mut received = theirs.0.lock().unwrap();
                received.bytes.extend_from_slice(&buffer[..count]);
                received.ended = count == 0;
                theirs.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Stream { shared, _reader: reader }
    }

    fn bytes(&self) -> Vec<u8> {
        self.shared.0.lock().unwrap().bytes.clone()
    }

    fn wait_for(&self, text: &[u8], limit: Duration) -> bool {
        let received =
            self.wait(limit, |received| received.ended || contains(&received.bytes, text));
        received && contains(&self.bytes(), text)
    }

    fn wait_for_end(&self, limit: Duration) -> bool {
        self.wait(limit, |received| received.ended)
    }

    fn wait(&self, limit: Duration, done: impl Fn(&Received) -> bool) -> bool {
        let guard = self.shared.0.lock().unwrap();
        let (guard, _) =
            self.shared.1.wait_timeout_while(guard, limit, |received| !done(received)).unwrap();
        done(&guard)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
