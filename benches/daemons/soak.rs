//! Starts every daemon under `unfreed record`, gives them load for as long as is wanted, and stops them: one
//! trace each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::options::Options;
use crate::pace::Pace;
use crate::support::mail::missing;
use crate::support::skip::tool;
use crate::{broker, mail, nginx, python};

/// A daemon that runs, and how it is stopped.
pub struct Soaking {
    pub name: String,
    /// Its clients, which end by themselves once the soak is over.
    pub clients: Vec<thread::JoinHandle<()>>,
    pub stop: Box<dyn FnOnce()>,
}

/// Records all daemons that are installed; gives the directory of their traces.
pub fn record(options: &Options) -> PathBuf {
    let directory = match &options.keep {
        Some(directory) => {
            std::fs::create_dir_all(directory).unwrap();
            directory.clone()
        }
        None => tempfile::tempdir().unwrap().keep(),
    };
    let recorder = Recorder { directory: directory.clone() };
    let pace = Pace::new(options.duration(), options.load, options.seed);
    eprintln!("seed {}, {:?}", options.seed, options.duration());
    let mut running = Vec::new();
    for number in 0..broker::BROKERS {
        if installed("mosquitto", "mosquitto") {
            running.push(broker::start(number, &recorder, &pace.other(number)));
        }
    }
    if installed("nginx", "nginx-light") {
        running.push(nginx::start(&recorder, &pace.other(100)));
    }
    if installed(python::PYTHON, "python3") {
        running.extend(python::start(&recorder, &pace.other(200)));
    }
    match missing() {
        None => running.push(mail::start(&recorder, &pace.other(300))),
        Some(why) => eprintln!("left out: {why}"),
    }
    for soaking in running {
        for client in soaking.clients {
            if client.join().is_err() {
                eprintln!("a client of {} failed", soaking.name);
            }
        }
        eprintln!("stopping {}", soaking.name);
        (soaking.stop)();
    }
    directory
}

fn installed(name: &str, package: &str) -> bool {
    let found = tool(name).is_some();
    if !found {
        eprintln!("left out: {name} is not installed (`apt install {package}`)");
    }
    found
}

/// Where the traces go.
pub struct Recorder {
    directory: PathBuf,
}

impl Recorder {
    /// What stands before a daemon's command.
    pub fn prefix(&self, name: &str) -> Vec<OsString> {
        let words = [env!("CARGO_BIN_EXE_unfreed"), "record", "--quiet", "--output"];
        let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
        words.push(self.directory.join(name).with_extension(TRACE).into());
        words.push("--".into());
        words
    }
}

const TRACE: &str = "trace";

/// The traces in a directory, with the daemons' names.
pub fn traces(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut traces: Vec<(String, PathBuf)> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == TRACE))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    traces.sort();
    traces
}

/// A client on a thread of its own, which may be refused while its daemon is stopped or reloaded: a few errors
/// are told, and it goes on.
pub fn client(
    mut pace: Pace,
    about: Duration,
    mut act: impl FnMut(&mut Pace) -> std::io::Result<()> + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut failures = 0;
        while pace.wait(about) {
            if let Err(error) = act(&mut pace) {
                failures += 1;
                if failures <= 3 {
                    eprintln!("  a client: {error}");
                }
            }
        }
    })
}
