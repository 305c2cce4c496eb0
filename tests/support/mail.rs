//! A Postfix and a Dovecot of our own: SMTP in, LMTP between them, IMAP out, each started bare or
//! under a tracer. All their files are in one directory, which is also what their processes are known
//! by: each daemon works in a directory below it (Postfix's in the queue, Dovecot's in the base
//! directory), so that whatever is left behind is found, whoever its parent is. The system's own
//! configuration and services are not touched.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::broker::free_port;
use super::compile::root;
use super::process::{Finished, LIMIT, Running};
use super::signal::{self, Signal};
use super::{procfs, skip};

/// Between two looks at a process or a port.
const POLL: Duration = Duration::from_millis(20);
/// A free port can be taken by somebody else before a server binds it.
const ATTEMPTS: u32 = 5;
/// Dovecot's children end by themselves once their master has.
const CHILDREN_END_WITHIN: Duration = Duration::from_secs(30);

/// What to add to the configurations, and what to start the servers with.
#[derive(Default)]
pub struct Setup<'a> {
    /// Before Postfix's command (empty: bare), as `unfreed run --`.
    pub postfix_prefix: &'a [OsString],
    /// More lines for main.cf.
    pub main_cf: &'a str,
    /// Before Dovecot's command.
    pub dovecot_prefix: &'a [OsString],
    /// More lines for dovecot.conf.
    pub dovecot_conf: &'a str,
}

/// The two servers, running.
pub struct MailServers {
    postfix: Server,
    dovecot: Server,
    directory: Directory,
}

/// What the two left.
pub struct Stopped {
    pub postfix: Finished,
    pub postfix_log: String,
    pub dovecot: Finished,
    pub dovecot_log: String,
}

struct Server {
    running: Running,
    port: u16,
    /// Its master process, which ends the others.
    master: u32,
}

/// Why these servers cannot be run here, if so.
pub fn missing() -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
    if skip::tool("postfix").is_none() || !Path::new("/usr/lib/postfix/sbin/lmtp").exists() {
        Some("postfix is not installed")
    } else if !["imap", "lmtp"].iter().all(|name| Path::new("/usr/lib/dovecot").join(name).exists())
    {
        Some("dovecot-imapd and dovecot-lmtpd are not installed")
    } else {
        (!is_root).then_some("mail servers can only be started by root")
    }
}

impl MailServers {
    /// Starts both; panics unless both accept clients within [`LIMIT`].
    pub fn start(setup: &Setup) -> MailServers {
        let directory = Directory::new();
        let (at, place) = (directory.path(), directory.path().display().to_string());
        let dovecot = start(setup.dovecot_prefix, &at.join("dovecot/run/master.pid"), |port| {
            let values = [("@DIRECTORY@", place.as_str()), ("@IMAP@", &port.to_string())];
            let file = at.join("dovecot/dovecot.conf");
            configure("dovecot.conf", &values, setup.dovecot_conf, &file);
            ["dovecot", "-F", "-c"].iter().map(OsString::from).chain([file.into()]).collect()
        });
        let postfix =
            start(setup.postfix_prefix, &at.join("postfix/queue/pid/master.pid"), |port| {
                let address = format!("127.0.0.1:{port}");
                let values = [("@DIRECTORY@", place.as_str()), ("@SMTP@", address.as_str())];
                let directory = at.join("postfix/etc");
                configure("main.cf", &values, setup.main_cf, &directory.join("main.cf"));
                configure("master.cf", &values, "", &directory.join("master.cf"));
                vec!["postfix".into(), "-c".into(), directory.into(), "start-fg".into()]
            });
        MailServers { postfix, dovecot, directory }
    }

    /// The port that takes mail.
    pub fn smtp(&self) -> u16 {
        self.postfix.port
    }

    /// The port that gives mail out.
    pub fn imap(&self) -> u16 {
        self.dovecot.port
    }

    /// The programs of all daemons that run, with their process numbers, once Postfix has begun its queue manager: that
    /// begins with it, yet not before it listens.
    pub fn daemons(&self) -> Vec<(u32, PathBuf)> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let daemons = self.directory.processes();
            if daemons.iter().any(|(_, program)| program.ends_with("qmgr")) {
                return daemons;
            }
            assert!(Instant::now() < deadline, "no queue manager among {daemons:?}");
            thread::sleep(POLL);
        }
    }

    /// Stops both by SIGTERM to their masters and waits until no process is left; panics where one
    /// is.
    pub fn stop(self) -> Stopped {
        let MailServers { postfix, dovecot, directory } = self;
        let (postfix, dovecot) = (postfix.stop(), dovecot.stop());
        let deadline = Instant::now() + CHILDREN_END_WITHIN;
        while !directory.processes().is_empty() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        let left = directory.processes();
        assert!(left.is_empty(), "left behind: {left:?}");
        let read = |file: &str| fs::read(directory.path().join(file)).unwrap_or_default();
        let text = |file: &str| String::from_utf8_lossy(&read(file)).into_owned();
        Stopped {
            postfix,
            postfix_log: text("postfix/mail.log"),
            dovecot,
            dovecot_log: text("dovecot/dovecot.log"),
        }
    }
}

impl Server {
    fn stop(self) -> Finished {
        assert!(signal::send(self.master, Signal::Terminate), "the server is gone");
        self.running.finish(LIMIT)
    }
}

/// Starts a server on a free port, again where somebody else was quicker.
fn start(prefix: &[OsString], pid: &Path, command: impl Fn(u16) -> Vec<OsString>) -> Server {
    let mut told = String::new();
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let mut words = prefix.to_vec();
        words.extend(command(port));
        let program = words[0].to_str().and_then(skip::tool).expect("ask `missing` first");
        let mut running = Running::start(Command::new(program).args(&words[1..]));
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline && !running.has_ended() {
            // Ours only if one of our processes listens: another may have taken the port.
            if procfs::listener(running.pid(), port).is_some()
                && let Ok(text) = fs::read_to_string(pid)
                && let Ok(master) = text.trim().parse()
            {
                return Server { running, port, master };
            }
            thread::sleep(POLL);
        }
        assert!(running.has_ended(), "{words:?} does not listen within {LIMIT:?}");
        let finished = running.finish(LIMIT);
        told = format!("{:?} {}{}", finished.status, finished.out(), finished.err());
        assert!(told.contains("Address already in use"), "{words:?}: {told}");
    }
    panic!("no free port in {ATTEMPTS} attempts: {told}");
}

/// Writes `tests/programs/mail/NAME` with its blanks filled in.
fn configure(name: &str, values: &[(&str, &str)], more: &str, to: &Path) {
    let mut text = fs::read_to_string(root().join("tests/programs/mail").join(name)).unwrap();
    for (blank, value) in values {
        text = text.replace(blank, value);
    }
    text.push_str(more);
    fs::write(to, text).unwrap();
}

/// The directory of both. Dropped, it ends every process that still works below it.
struct Directory(TempDir);

impl Directory {
    fn new() -> Directory {
        // Not `TMPDIR`: the servers' own users must get in, and a socket's path takes 107 bytes.
        let directory = Directory(tempfile::tempdir_in("/tmp").unwrap());
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let make = |path: &str, owner: &str, mode: &str| {
            let mut install = Command::new("install");
            install.args(["-d", "-o", owner, "-m", mode]).arg(directory.path().join(path));
            assert!(install.status().expect("coreutils").success(), "{install:?}");
        };
        for (path, owner, mode) in [
            ("postfix/etc", "root", "755"),
            ("postfix/data", "postfix", "700"),
            ("postfix/queue", "root", "755"),
            // Postfix makes the rest of its queue itself; Dovecot's socket goes here before.
            ("postfix/queue/private", "postfix", "700"),
            ("dovecot/run", "root", "755"),
            ("dovecot/mail", "dovecot", "700"),
        ] {
            make(path, owner, mode);
        }
        directory
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn processes(&self) -> Vec<(u32, PathBuf)> {
        procfs::working_below(self.path())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A master that is gone starts no more of them.
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                signal::send(pid, Signal::Kill);
            }
            thread::sleep(POLL);
        }
    }
}
