//! nginx with four workers: files, compressed ones, a proxy with a cache before itself, a cache of open files that is
//! smaller than the files are many; and a reload now and then, with new workers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
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

const FILES: u64 = 300;

/// Starts it with its clients.
pub fn start(recorder: &Recorder, pace: &Pace) -> Soaking {
    // Not readable by others as it is made, and the workers are others.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    for number in 0..FILES {
        let text = format!("line of file {number}\n").repeat(1 + (number * 37 % 900) as usize);
        fs::write(files.join(format!("{number}.txt")), text).unwrap();
    }
    let port = free_port();
    let configuration = fs::read_to_string(root().join("benches/daemons/programs/nginx.conf"))
        .unwrap()
        .replace("@DIRECTORY@", directory.path().to_str().unwrap())
        .replace("@PORT@", &port.to_string());
    let file = directory.path().join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    let words = recorder.prefix("nginx");
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("/usr/sbin/nginx").arg("-c").arg(&file);
    let mut running = Running::start(&mut command);
    let deadline = Instant::now() + LIMIT;
    while procfs::listener(running.pid(), port).is_none() {
        assert!(Instant::now() < deadline && !running.has_ended(), "nginx does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    let pid_file = directory.path().join("nginx.pid");
    let master: u32 = fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();

    let mut clients = Vec::new();
    for number in 0..4 {
        let mut kept = None;
        clients.push(client(pace.other(number), Duration::from_millis(60), move |pace| {
            let connection = match &mut kept {
                Some(connection) => connection,
                none => none.insert(Kept::connect(port)?),
            };
            // A reload, or so many requests, ends the connection: that is no failure.
            if connection.get(&path(pace)).is_err() {
                kept = None;
            }
            Ok(())
        }));
    }
    clients.push(client(pace.other(10), Duration::from_millis(100), move |pace| {
        get_once(port, &path(pace)).map(|_| ())
    }));
    clients.push(client(pace.other(11), Duration::from_secs(90), move |_| {
        signal::send(master, Signal::Hangup);
        Ok(())
    }));
    let stop = move || {
        assert!(signal::send(master, Signal::Terminate), "nginx is gone");
        running.finish(LIMIT);
        drop(directory);
    };
    Soaking { name: "nginx".to_owned(), clients, stop: Box::new(stop) }
}

fn path(pace: &mut Pace) -> String {
    let file = pace.mostly_small(FILES + 20);
    let place = if pace.below(3) == 0 { "/proxied" } else { "" };
    format!("{place}/{file}.txt")
}
