//! A mosquitto broker on a free loopback port, started bare or under a tracer, with or without
//! the plug-in. It is ready when it accepts a client, and stopped by SIGTERM to the process that
//! holds the listening socket, whatever was started around it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::mqtt::Publisher;
use super::process::{Finished, LIMIT, Running};
use super::signal::{self, Signal};
use super::{procfs, skip};

/// Between two looks whether it is ready.
const POLL: Duration = Duration::from_millis(20);
/// A free port can be taken by somebody else before the broker binds it.
const ATTEMPTS: u32 = 5;

/// A port of 127.0.0.1 that was free a moment ago. Another process may take it first: who needs it
/// retries with a new one, as [`Broker::start`] does.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// The broker's program, where installed.
pub fn program() -> Option<PathBuf> {
    skip::tool("mosquitto")
}

/// A running broker.
pub struct Broker {
    running: Running,
    port: u16,
    pid: u32,
    _directory: TempDir,
}

impl Broker {
    /// Starts mosquitto after this prefix (empty: bare; or `unfreed run -o FILE --`), with an
    /// optional message plug-in. Panics unless it accepts a client within [`LIMIT`].
    pub fn start(prefix: &[OsString], plugin: Option<&Path>) -> Broker {
        let program = program().expect("mosquitto: ask support::require! first");
        let mut told = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let directory = tempfile::tempdir().unwrap();
            let config = directory.path().join("mosquitto.conf");
            fs::write(&config, configuration(port, plugin)).unwrap();
            let arguments = [OsStr::new("-c"), config.as_os_str()];
            let mut command = match prefix.split_first() {
                None => Command::new(&program),
                Some((first, rest)) => {
                    let mut command = Command::new(first);
                    command.args(rest).arg(&program);
                    command
                }
            };
            let mut running = Running::start(command.args(arguments));
            match wait_until_ready(&mut running, port) {
                Some(pid) => return Broker { running, port, pid, _directory: directory },
                None if running.has_ended() => {
                    let finished = running.finish(LIMIT);
                    told = format!("{:?} {}{}", finished.status, finished.out(), finished.err());
                    assert!(told.contains("Address already in use"), "no broker: {told}");
                }
                None => panic!("no broker on port {port} within {LIMIT:?}"),
            }
        }
        panic!("no free port in {ATTEMPTS} attempts: {told}");
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the broker's own process, not of a tracer around it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Resident bytes of the broker.
    pub fn resident_bytes(&self) -> u64 {
        procfs::resident_bytes(self.pid).expect("the broker runs")
    }

    /// Stops the broker by SIGTERM and waits for whatever was started.
    pub fn stop(self) -> Finished {
        assert!(signal::send(self.pid, Signal::Terminate), "the broker is gone");
        self.running.finish(LIMIT)
    }
}

/// `user root` keeps mosquitto from becoming the user mosquitto when root starts it: that user
/// could read neither the plug-in nor what a tracer needs. Without root it has no effect.
/// Without `set_tcp_nodelay` a broker's PUBACKs wait for our delayed ACKs, 40 ms per window.
fn configuration(port: u16, plugin: Option<&Path>) -> String {
    let mut text = format!(
        "listener {port} 127.0.0.1\n\
         allow_anonymous true\n\
         persistence false\n\
         user root\n\
         set_tcp_nodelay true\n\
         max_queued_messages 0\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n"
    );
    if let Some(plugin) = plugin {
        text.push_str(&format!("plugin {}\n", plugin.display()));
    }
    text
}

/// The broker's process once it accepts clients; `None` when it ended or never did.
fn wait_until_ready(running: &mut Running, port: u16) -> Option<u32> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline && !running.has_ended() {
        // Ours only if one of our processes listens: another broker may have taken the port.
        if let Some(pid) = procfs::listener(running.pid(), port)
            && Publisher::connect(port, "ready").and_then(Publisher::disconnect).is_ok()
        {
            return Some(pid);
        }
        thread::sleep(POLL);
    }
    None
}
