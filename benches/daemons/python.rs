//! Python's own web server, with a thread for each connection or an event loop, with Python's allocator or with
//! malloc for everything.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Kept, get_once};
use crate::pace::Pace;
use crate::soak::{Recorder, Soaking, client};
use crate::support::broker::free_port;
use crate::support::compile::root;
use crate::support::process::{LIMIT, Running};
use crate::support::procfs;
use crate::support::signal::{self, Signal};

/// The distribution's own: the first in PATH may be a script that looks for another.
pub const PYTHON: &str = "/usr/bin/python3";

/// Starts four, with their clients.
pub fn start(recorder: &Recorder, pace: &Pace) -> Vec<Soaking> {
    let kinds =
        [("threads", "pymalloc"), ("threads", "malloc"), ("loop", "pymalloc"), ("loop", "malloc")];
    (0..).zip(kinds).map(|(number, kind)| one(kind, recorder, &pace.other(number))).collect()
}

fn one((mode, allocator): (&str, &str), recorder: &Recorder, pace: &Pace) -> Soaking {
    let name = format!("python-{mode}-{allocator}");
    let port = free_port();
    let words = recorder.prefix(&name);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(PYTHON).arg("-I");
    command.arg(root().join("benches/daemons/programs/server.py")).arg(mode).arg(port.to_string());
    command.env("PYTHONMALLOC", allocator);
    let mut running = Running::start(&mut command);
    let deadline = Instant::now() + LIMIT;
    let server = loop {
        assert!(Instant::now() < deadline && !running.has_ended(), "{name} does not listen");
        match procfs::listener(running.pid(), port) {
            Some(pid) => break pid,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut kept = None;
    let staying = client(pace.other(0), Duration::from_millis(60), move |pace| {
        let connection = match &mut kept {
            Some(connection) => connection,
            none => none.insert(Kept::connect(port)?),
        };
        let got = connection.get(&path(pace));
        if got.is_err() {
            kept = None;
        }
        got.map(|_| ())
    });
    let visitors = client(pace.other(1), Duration::from_millis(200), move |pace| {
        get_once(port, &path(pace)).map(|_| ())
    });
    let stop = move || {
        assert!(signal::send(server, Signal::Terminate), "python is gone");
        running.finish(LIMIT);
    };
    Soaking { name, clients: vec![staying, visitors], stop: Box::new(stop) }
}

fn path(pace: &mut Pace) -> String {
    let key = pace.mostly_small(2_000);
    let what = ["json", "recent", "fresh", "search", "packed", "stored"];
    format!("/{}/{key}", what[pace.below(what.len() as u64) as usize])
}
