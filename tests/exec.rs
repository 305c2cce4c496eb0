//! Programs that execute others, from wherever and in whatever environment: each is traced, or said
//! not to be and why, and behaves as without us.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::process::{Finished, LIMIT, Running, run};
use support::programs;
use support::signal::Signal;
use traced::{Traced, UNFREED, record, record_in};
use unfreed::event::{Exit, FactKind, What};

/// The exit status of a test program that the system forbids a step.
const FORBIDDEN: i32 = 77;

fn words(program: &Path, arguments: &[&str]) -> Vec<OsString> {
    [OsString::from(program)].into_iter().chain(arguments.iter().map(OsString::from)).collect()
}

/// Blocks of this size that live at the end of the process of this name that was last to begin.
#[track_caller]
fn kept(traced: &Traced, name: &str, size: u64) -> usize {
    let processes = traced.processes();
    let found = processes.iter().rev().find(|(_, process)| process.name == name);
    let (id, _) = found.unwrap_or_else(|| {
        let names: Vec<_> = processes.iter().map(|(_, process)| &process.name).collect();
        panic!("no {name} in {names:?}: {}", traced.finished.err())
    });
    traced.live_of_size(id.0, size)
}

/// What was said not to be traced: what, and why.
fn not_traced(traced: &Traced) -> Vec<(String, String)> {
    let facts = traced.events.iter().filter_map(|event| match &event.what {
        What::Fact(fact) if fact.kind == FactKind::NotTraced => {
            Some((fact.subject.clone(), fact.value.clone().unwrap_or_default()))
        }
        _ => None,
    });
    facts.collect()
}

/// Whether this system lets us do what a test needs.
fn allowed(program: &Path, steps: &[&str]) -> bool {
    let mut command = Command::new(program);
    run(command.args(steps).args(["--", "/bin/true"]), LIMIT).code() != Some(FORBIDDEN)
}

#[test]
fn every_way_to_execute_is_followed_into_every_environment() {
    let program = programs::c("execute");
    let given = ["execve", "execvpe", "execle", "execle-short", "fexecve", "execveat"];
    let given = given.into_iter().chain(["posix_spawn", "posix_spawnp", "fork"]);
    let inherited = ["execv", "execvp", "execl", "execlp"];
    let all = given.clone().map(|how| (how, "stripped"));
    let inherited = inherited.into_iter().chain(["system", "popen"]);
    let all = all.chain(given.chain(inherited).map(|how| (how, "cleared")));
    for (how, environment) in all.chain([("execve", "kept")]) {
        let bare = run(Command::new(&program).args([how, environment]), LIMIT).expect_code(0);
        let traced = record(&words(&program, &[how, environment]));
        let case = format!("{how} {environment}: {}", traced.finished.err());
        assert_eq!(traced.finished.code(), Some(0), "{case}");
        assert_eq!(traced.finished.out(), bare.out(), "{case}");
        assert_eq!(traced.finished.err(), "", "{case}");
        assert_eq!(kept(&traced, "execute", 500), 7, "{case}");
        assert_eq!(traced.live_of_size(0, 100), 8, "{case}");
        assert_eq!(not_traced(&traced), [], "{case}");
        traced.assert_whole();
    }
}

#[test]
fn a_program_s_own_preload_is_kept() {
    let traced = record(&words(&programs::c("execute"), &["execve", "own", "/missing/lib.so"]));
    assert_eq!(traced.finished.out(), "image a=1 preload=theirs\nchild=6\n");
    assert_eq!(kept(&traced, "execute", 500), 7);
    // The loader's own complaint about what the program asked for.
    assert_eq!(traced.finished.err().lines().count(), 1, "{}", traced.finished.err());
}

#[test]
fn an_environment_that_is_left_alone_is_told_of() {
    for (environment, why) in [("declined", "set to nothing"), ("crowded", "too large")] {
        let traced = record(&words(&programs::c("execute"), &["execve", environment]));
        assert_eq!(traced.finished.out(), "image a=1 preload=other\nchild=6\n");
        let told = not_traced(&traced);
        let [(program, reason)] = told.as_slice() else { panic!("{environment}: {told:?}") };
        assert!(program.contains("/execute (process "), "{program}");
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn what_fails_fails_as_without_us() {
    let program = programs::c("execute");
    let bare = run(Command::new(&program).arg("failures"), LIMIT).expect_code(0);
    let traced = record(&words(&program, &["failures"]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), bare.out());
    assert!(bare.out().contains("large result=-1 errno=7\n"), "{}", bare.out());
    assert_eq!(not_traced(&traced), [], "what failed was not executed");
}

#[test]
fn a_program_that_lives_for_a_moment_is_missed() {
    // Not as the program that we started: that is an error. In a child that never registers, and in
    // one that does.
    let program = programs::static_c("exit3");
    let elsewhere = programs::c("elsewhere");
    let name = program.to_str().unwrap();
    for command in [
        words(Path::new("/bin/sh"), &["-c", "\"$0\"; exit 0", name]),
        words(&elsewhere, &["fork", "--", name]),
    ] {
        let traced = record(&command);
        let told = not_traced(&traced);
        let [(subject, why)] = told.as_slice() else { panic!("{command:?}: {told:?}") };
        assert!(subject.starts_with(&format!("{name} (process ")), "{subject}");
        assert!(why.contains("statically linked"), "{why}");
    }
}

#[test]
fn what_is_left_in_the_background_is_traced_to_its_end() {
    let program = programs::c("exit3");
    let command =
        words(Path::new("/bin/sh"), &["-c", "\"$0\" & exit 0", program.to_str().unwrap()]);
    // The shell ends before what it left has begun, or after: either may happen.
    for round in 0..10 {
        let traced = record(&command);
        let names: Vec<_> = traced.processes().iter().map(|(_, it)| it.name.clone()).collect();
        assert!(names.iter().any(|name| name == "exit3"), "round {round}: {names:?}");
    }
}

#[test]
fn many_that_are_not_traced_are_counted() {
    let program = programs::static_c("exit3");
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \"$0\"; done; exit 0";
    let traced = record(&words(Path::new("/bin/sh"), &["-c", script, program.to_str().unwrap()]));
    let told = not_traced(&traced);
    assert_eq!(told.len(), 9, "{told:?}");
    assert!(told[8].0.ends_with("(4 more processes)"), "{told:?}");
}

#[test]
fn a_program_is_traced_as_another_user_without_descriptors_or_environment() {
    let elsewhere = programs::c("elsewhere");
    if !allowed(&elsewhere, &["uid=65534"]) {
        support::skip!("only root may become another user");
    }
    let place = Place::new();
    let program = place.copy(&programs::c("exit3"));
    for steps in [
        &["uid=65534"][..],
        &["closefrom"],
        &["stripped", "closefrom", "uid=65534"],
        &["net", "uid=65534"],
    ] {
        if !allowed(&elsewhere, steps) {
            support::skip!("this system forbids {steps:?}");
        }
        let traced = in_place(&place, &elsewhere, steps, &program);
        assert_eq!(traced.finished.code(), Some(3), "{steps:?}: {}", traced.finished.err());
        assert_eq!(traced.finished.err(), "", "{steps:?}");
        assert_eq!(kept(&traced, "exit3", 109), 1, "{steps:?}");
        assert_eq!(traced.exit(0), Exit::Replaced, "{steps:?}");
        assert_eq!(not_traced(&traced), [], "{steps:?}");
        traced.assert_whole();
    }
}

#[test]
fn a_program_is_traced_in_other_namespaces() {
    let elsewhere = programs::c("elsewhere");
    let place = Place::new();
    let program = place.copy(&programs::c("linger"));
    for steps in [
        &["user"][..],
        &["mount"],
        &["pid", "fork"],
        &["pid", "fork", "fork", "stripped"],
        &["user", "pid", "mount", "fork"],
    ] {
        if !allowed(&elsewhere, steps) {
            support::skip!("this system forbids {steps:?}");
        }
        let traced = in_place(&place, &elsewhere, steps, &program);
        assert_eq!(traced.finished.code(), Some(0), "{steps:?}: {}", traced.finished.err());
        assert_eq!(traced.finished.err(), "", "{steps:?}");
        let processes = traced.processes();
        let found = processes.iter().find(|(_, process)| process.name == "linger");
        let (_, process) = found.unwrap_or_else(|| panic!("{steps:?}: {processes:?}"));
        // As we count it, not as it does.
        assert!(process.pid > 2, "{steps:?}: {process:?}");
        assert_eq!(not_traced(&traced), [], "{steps:?}");
    }
}

#[test]
fn a_chroot_is_traced_where_the_agent_is_seen_and_told_of_where_not() {
    let elsewhere = programs::c("elsewhere");
    let place = Place::new();
    let root = place.root(&programs::c("exit3"));
    let chroot = format!("chroot={}", root.display());
    if !allowed(&elsewhere, &["mount", "fork"]) {
        support::skip!("only root may change its root");
    }
    let program = Path::new("/bin/exit3");
    for stripped in [&[][..], &["stripped"]] {
        // The place itself, at the same path inside.
        let seen = root.join(place.0.path().strip_prefix("/").unwrap());
        fs::create_dir_all(&seen).unwrap();
        let bind = format!("bind={}:{}", place.0.path().display(), seen.display());
        let steps = [&["mount", &bind, &chroot][..], stripped].concat();
        let traced = in_place(&place, &elsewhere, &steps, program);
        assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
        assert_eq!(traced.finished.err(), "");
        assert_eq!(kept(&traced, "exit3", 109), 1);
        assert_eq!(not_traced(&traced), []);

        let steps = [&["fork", &chroot][..], stripped].concat();
        let traced = in_place(&place, &elsewhere, &steps, program);
        assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
        let err = traced.finished.err();
        assert!(!err.contains("ld.so"), "the loader complains: {err}");
        let told = not_traced(&traced);
        let [(subject, why)] = told.as_slice() else { panic!("{told:?}") };
        assert!(subject.starts_with("/bin/exit3 (process "), "{subject}");
        assert!(why.contains("not to be seen"), "{why}");
    }
}

#[test]
fn a_private_tmp_is_told_of() {
    let elsewhere = programs::c("elsewhere");
    let place = Place::new();
    let cover = format!("cover={}", place.0.path().display());
    if !allowed(&elsewhere, &["mount", &cover]) {
        support::skip!("only root may mount");
    }
    let traced = in_place(&place, &elsewhere, &["fork", "mount", &cover], Path::new("/bin/true"));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert!(!traced.finished.err().contains("ld.so"), "{}", traced.finished.err());
    let told = not_traced(&traced);
    assert!(matches!(told.as_slice(), [(_, why)] if why.contains("not to be seen")), "{told:?}");
}

#[test]
fn a_program_that_changes_privileges_is_told_of() {
    let elsewhere = programs::c("elsewhere");
    if !allowed(&elsewhere, &["uid=65534"]) {
        support::skip!("only root may become another user");
    }
    let place = Place::new();
    let program = place.copy(&programs::c("exit3"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let traced = in_place(&place, &elsewhere, &["fork", "uid=65534"], &program);
    assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
    let told = not_traced(&traced);
    assert!(matches!(told.as_slice(), [(_, why)] if why.contains("setuid")), "{told:?}");
}

#[test]
fn nothing_is_asked_of_the_system_that_a_filter_could_forbid() {
    let program = programs::c("filtered");
    let bare = run(&mut Command::new(&program), LIMIT);
    if bare.code() == Some(FORBIDDEN) {
        support::skip!("this system takes no filters");
    }
    assert_eq!((bare.code(), bare.out().as_str()), (Some(0), "kept=10 child=0\n"));
    let traced = record(&words(&program, &[]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), bare.out());
    assert_eq!(traced.processes().len(), 3);
    assert_eq!(traced.live_of_size(0, 100), 10);
    assert_eq!((traced.live_of_size(1, 200), traced.live_of_size(2, 200)), (5, 5));
    traced.assert_whole();
}

#[test]
fn an_interrupt_to_us_alone_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(UNFREED);
    command.args(["record", "--quiet", "--target-status", "-o"]);
    command.arg(directory.path().join("trace")).arg("--");
    let running = Running::start(command.arg(programs::c("sigint")).arg("handle"));
    running.wait_for("ready\n", LIMIT);
    running.signal(Signal::Interrupt);
    let finished = running.finish(LIMIT);
    assert_eq!((finished.code(), finished.out().as_str()), (Some(7), "ready\nsignal=2\n"));
}

#[test]
fn what_a_killed_recorder_left_is_removed_once_nobody_uses_it() {
    let place = Place::new();
    let directories = || {
        let entries = fs::read_dir(place.0.path()).unwrap().flatten();
        entries.filter(|entry| entry.path().join("libunfreed_agent.so").exists()).count()
    };
    let start = || {
        let mut command = Command::new(UNFREED);
        command.args(["record", "-q", "-o"]).arg(place.0.path().join("trace")).arg("--");
        command.env("TMPDIR", place.0.path()).arg(programs::c("sigint")).arg("ignore");
        let running = Running::start(&mut command);
        running.wait_for("ready\n", LIMIT);
        running
    };
    let again = |left: usize| {
        let mut command = Command::new(UNFREED);
        command.args(["record", "-q", "-o"]).arg(place.0.path().join("other")).arg("--");
        run(command.env("TMPDIR", place.0.path()).arg("/bin/true"), LIMIT).expect_code(0);
        assert_eq!(directories(), left);
    };
    let running = start();
    let target = support::procfs::family(running.pid())[1];
    assert_eq!(directories(), 1);
    // In use by a recorder, then by its target alone, then by nobody.
    again(1);
    running.signal(Signal::Kill);
    // Killed before its streams end, which the target still holds.
    let gone = |pid: u32| {
        let deadline = std::time::Instant::now() + LIMIT;
        while fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
        {
            assert!(std::time::Instant::now() < deadline, "{pid} did not end");
            std::thread::yield_now();
        }
    };
    gone(running.pid());
    again(1);
    assert!(support::signal::send(target, Signal::Terminate));
    let finished: Finished = running.finish(LIMIT);
    assert_eq!(finished.signal(), Some(9));
    gone(target);
    again(0);
}

/// A place for the agent that other users may pass through, and for programs that they may execute.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Place(place)
    }

    fn copy(&self, program: &Path) -> PathBuf {
        let copy = self.0.path().join(program.file_name().unwrap());
        fs::copy(program, &copy).unwrap();
        copy
    }

    /// A directory that holds a program as `/bin/...` and what the loader needs for it.
    fn root(&self, program: &Path) -> PathBuf {
        let root = self.0.path().join("root");
        let bin = root.join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(program, bin.join(program.file_name().unwrap())).unwrap();
        let listed = run(Command::new("ldd").arg(program), LIMIT).expect_code(0).out();
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            let to = root.join(library.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(library, to).unwrap();
        }
        root
    }
}

fn in_place(place: &Place, elsewhere: &Path, steps: &[&str], program: &Path) -> Traced {
    let mut command = words(elsewhere, steps);
    command.extend([OsString::from("--"), OsString::from(program)]);
    record_in(&command, &[("TMPDIR", OsString::from(place.0.path()))])
}

/// A package that is upgraded meanwhile, say.
#[test]
fn a_program_whose_file_is_gone_is_still_traced() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("living");
    // By another process: a copy that this one writes may still be open in what a test beside it starts.
    run(Command::new("cp").arg(programs::c("living")).arg(&program), LIMIT).expect_code(0);
    let traced = record(&words(&program, &["deleted"]));
    assert_eq!(traced.finished.out(), "kept=100\n", "{}", traced.finished.err());
    assert_eq!(not_traced(&traced), []);
    assert_eq!(traced.live_of_size(0, 611), 100);
    traced.assert_whole();
}

/// Its threads have other numbers for us than for themselves.
#[test]
fn threads_in_a_pid_namespace_of_their_own_keep_their_writers() {
    let program = programs::c("living");
    let traced = record(&words(&program, &["numbered"]));
    if traced.finished.code() == Some(FORBIDDEN) {
        support::skip!("no pid namespace may be made here");
    }
    assert_eq!(traced.finished.out(), "kept=100\n", "{}", traced.finished.err());
    assert_eq!(traced.live_of_size(1, 611), 100);
    traced.assert_whole();
}
