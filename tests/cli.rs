//! The program from outside, on synthetic traces: what comes out, where, and with which exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod synth;

#[path = "cli/diff.rs"]
mod diff;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "cli/watching.rs"]
mod watching;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use synth::{Synth, linux_module, windows_module};
use tempfile::TempDir;
use unfreed::event::{Exit, Process, ProcessId, What};
use unfreed::report::model::{Report, SeenFrom, Unmeasured};
use unfreed_symbols::ModuleIdentity;

/// A program run in a directory of its own.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
        command.args(arguments).current_dir(self.directory.path());
        command.env_remove("DEBUGINFOD_URLS").env_remove("NO_COLOR").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Told {
        self.command(arguments).output().unwrap().into()
    }
}

/// What a program said and how it ended.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Told {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn plugin(version: &str) -> ModuleIdentity {
    ModuleIdentity {
        name: format!("libgreet-{version}.so"),
        path: format!("/opt/mailer/plugins/libgreet-{version}.so"),
        file_version: Some(version.into()),
        ..ModuleIdentity::default()
    }
}

/// A server with a plug-in that leaks per message, or frees, by version.
fn server(version: &str, leaks: bool) -> Vec<u8> {
    let mut t = Synth::linux();
    let mailer = t.process("mailer");
    t.module(mailer, linux_module("libmade-up.so.1"));
    t.module(mailer, plugin(version));
    let greet = format!("libgreet-{version}.so!greet::on_message(Message const&)");
    let stack = ["libmade-up.so.1!malloc", &greet, "mailer!deliver", "mailer!main"];
    if leaks {
        t.leak(mailer, &stack, 48, 3000, 1.0..30.0);
    } else {
        t.churn(mailer, &stack, 48, 3000, 1.0..30.0, 0.01);
    }
    let parse = ["libmade-up.so.1!malloc", "mailer!parse", "mailer!main"];
    t.churn(mailer, &parse, 200, 6000, 0.5..30.0, 0.05);
    t.lasts(30.0);
    t.build()
}

#[test]
fn a_leak_is_told_and_the_exit_code_says_so() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let told = bench.run(&["analyze", "leak.unfreed"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(told.err, "");
    let first = told.out.lines().take(3).collect::<Vec<_>>().join(" ");
    for word in ["libgreet-1.2.0.so 1.2.0", "greet::on_message(Message const&)"] {
        assert!(first.contains(word), "{word}: {first}");
    }
    for line in told.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!told.out.contains('\x1b'), "no colour into a pipe");
}

/// What the program writes to a terminal of this width.
#[cfg(target_os = "linux")]
fn on_a_terminal(columns: u16, command: Command) -> String {
    on_a_screen(24, columns, command)
}

#[cfg(target_os = "linux")]
fn on_a_screen(rows: u16, columns: u16, mut command: Command) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::Read;

    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap());
    let theirs = theirs.unwrap();
    let size =
        rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size).unwrap();
    let mut child = command.stdout(theirs).spawn().unwrap();
    // Until the last holder of their end is gone, when reading fails.
    drop(command);
    let mut written = Vec::new();
    let mut ours = fs::File::from(ours);
    let mut part = [0; 4096];
    while let Ok(n @ 1..) = ours.read(&mut part) {
        written.extend_from_slice(&part[..n]);
    }
    child.wait().unwrap();
    String::from_utf8(written).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_its_width_and_colour_unless_that_is_not_wanted() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let mut plain = Vec::new();
    let command = || {
        let mut command = bench.command(&["analyze", "leak.unfreed"]);
        command.env("TERM", "xterm");
        command
    };
    let coloured = on_a_terminal(50, command());
    assert!(coloured.contains("\x1b[1;31m"), "{coloured:?}");
    let mut without = command();
    without.env("NO_COLOR", "1");
    plain.push(on_a_terminal(50, without));
    let mut without = command();
    without.arg("--no-color");
    plain.push(on_a_terminal(50, without));
    let mut dumb = command();
    dumb.env("TERM", "dumb");
    plain.push(on_a_terminal(50, dumb));
    for text in plain {
        assert!(!text.contains('\x1b'), "{text:?}");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(matches!(widest, Some(41..=50)), "{widest:?}: {text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_without_rows_has_columns_all_the_same() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    for (columns, widths) in [(50, 41..=50), (20, 31..=40), (0, 61..=80)] {
        let command = bench.command(&["analyze", "leak.unfreed", "--no-color"]);
        let text = on_a_screen(0, columns, command);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widths.contains(&widest), "{columns}: {widest}: {text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_its_file_does_not_take_goes_to_stdout() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let told = bench.run(&["analyze", "leak.unfreed", "--json", "--output", "/dev/full"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    serde_json::from_str::<Report>(&told.out).unwrap();
    let said = told.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("cannot write the result to /dev/full"), "{said}");
    assert!(said.contains("stdout, where it was written instead"), "{said}");
}

#[test]
fn no_suspect_says_what_could_not_have_been_seen() {
    let bench = Bench::new();
    bench.file("fine.unfreed", &server("1.2.1", false));
    let told = bench.run(&["analyze", "fine.unfreed"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.starts_with("No suspect. A leak slower than "), "{}", told.out);
}

#[test]
fn json_is_the_report_and_the_same_every_time() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let told = bench.run(&["analyze", "--json", "leak.unfreed"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let report: Report = serde_json::from_str(&told.out).unwrap();
    assert_eq!(report.suspects.len(), 1, "{}", told.out);
    let suspect = &report.suspects[0];
    assert_eq!(suspect.function, "greet::on_message(Message const&)");
    assert_eq!(suspect.module.version.as_deref(), Some("1.2.0"));
    assert_eq!((suspect.live_blocks, suspect.allocations), (3000, 3000));
    // The trace began at 11:00 on the machine's clock.
    let explanation = &suspect.explanation;
    assert!(explanation.contains("allocated here since 11:00:0"), "{explanation}");
    assert_eq!(suspect.stack.iter().filter(|frame| frame.blame).count(), 1);
    let again = bench.run(&["analyze", "--json", "leak.unfreed"]);
    assert_eq!(told.out, again.out);
}

/// A process image among others: with its pid, whatever its id.
fn image(pid: u32, parent: u32, from_start: bool) -> What {
    let name = "mailer".to_owned();
    What::Process(Box::new(Process {
        pid,
        parent,
        command: vec![name.clone()],
        name,
        from_start,
        sampled: None,
    }))
}

#[test]
fn a_program_that_executes_itself_anew_does_not_grow_twice_as_fast() {
    let bench = Bench::new();
    let mut t = Synth::linux();
    let before = t.process("mailer");
    let stack = ["libmade-up.so.1!malloc", "mailer!remember", "mailer!main"];
    t.leak(before, &stack, 48, 3000, 0.0..30.0);
    t.event(30.0, before, What::ProcessExit(Exit::Replaced));
    let after = ProcessId(1);
    t.event(30.0, after, image(1000, 1, true));
    t.leak(after, &stack, 48, 3000, 30.0..60.0);
    bench.file("anew.unfreed", &t.build());
    let told = bench.run(&["analyze", "--json", "anew.unfreed"]);
    let report: Report = serde_json::from_str(&told.out).unwrap();
    let images: Vec<_> = report.suspects.iter().map(|s| (s.pid, s.target)).collect();
    assert_eq!(images, [(1000, 0), (1000, 1)], "{}", told.out);
    let told = bench.run(&["analyze", "anew.unfreed"]);
    assert!(told.out.contains("One more suspect below."), "{}", told.out);
    assert!(told.out.contains("Suspect 2 of 2:"), "{}", told.out);
    assert!(!told.out.contains("6,000 of 6,000"), "{}", told.out);
}

#[test]
fn a_forked_child_is_not_a_process_that_ran_before() {
    let bench = Bench::new();
    let stack = ["libmade-up.so.1!malloc", "mailer!work", "mailer!main"];
    for (parent, began, seen_from) in
        [(1000, 2.0, SeenFrom::Fork), (1000, 0.0, SeenFrom::Running), (7, 2.0, SeenFrom::Running)]
    {
        let mut t = Synth::linux();
        let shell = t.process("mailer");
        t.churn(shell, &stack, 48, 3000, 0.0..30.0, 0.01);
        t.event(began, ProcessId(1), image(1001, parent, false));
        t.churn(ProcessId(1), &stack, 48, 3000, 2.0..30.0, 0.01);
        bench.file("forks.unfreed", &t.build());
        let told = bench.run(&["analyze", "--json", "forks.unfreed"]);
        let report: Report = serde_json::from_str(&told.out).unwrap();
        let seen: Vec<_> = report.target.iter().map(|target| target.seen_from).collect();
        assert_eq!(seen, [SeenFrom::Start, seen_from], "parent {parent}, from {began}");
        let before = seen_from == SeenFrom::Running;
        assert_eq!(report.source.from_start, !before);
        let told = bench.run(&["analyze", "forks.unfreed"]);
        assert_eq!(told.out.contains("ran before the trace began"), before, "{}", told.out);
    }
}

#[test]
fn a_script_can_tell_nothing_found_from_nothing_seen() {
    let bench = Bench::new();
    let mut t = Synth::linux();
    let mailer = t.process("mailer");
    t.churn(mailer, &["libmade-up.so.1!malloc", "mailer!main"], 48, 100, 0.0..1.0, 0.01);
    bench.file("short.unfreed", &t.build());
    bench.file("fine.unfreed", &server("1.2.1", false));
    bench.file("leak.unfreed", &server("1.2.0", true));
    for (file, code, conclusive) in
        [("short.unfreed", 0, false), ("fine.unfreed", 0, true), ("leak.unfreed", 1, true)]
    {
        let told = bench.run(&["analyze", "--json", file]);
        assert_eq!(told.code, Some(code), "{file}");
        let report: Report = serde_json::from_str(&told.out).unwrap();
        assert_eq!(report.conclusive, conclusive, "{file}");
        let why = (!conclusive).then_some(Unmeasured::Short);
        assert_eq!((report.unmeasured, report.processes_unmeasured), (why, u64::from(!conclusive)));
    }
    for verb in [&["analyze"][..], &["fixes", "match"]] {
        let told = |file: &str| bench.run(&[verb, &[file]].concat()).out;
        assert!(told("short.unfreed").starts_with("No verdict."));
        assert!(told("fine.unfreed").starts_with("No suspect. A leak slower than "));
    }
    for verb in ["run", "analyze"] {
        let help = bench.run(&[verb, "--help"]).out;
        assert!(help.contains("`conclusive`"), "{help}");
    }
}

#[test]
fn a_result_file_is_whole_and_private() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let told = bench.run(&["analyze", "leak.unfreed", "--json", "--output", "report.json"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{told:?}");
    let path = bench.directory.path().join("report.json");
    serde_json::from_str::<Report>(&fs::read_to_string(&path).unwrap()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let left: Vec<_> = fs::read_dir(bench.directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left aside: {left:?}");
}

#[test]
fn what_cannot_be_done_is_told_on_stderr() {
    let bench = Bench::new();
    let whole = server("1.2.0", true);
    bench.file("other.txt", b"hello\n");
    bench.file("dump.dmp", b"MDMP\x93\xa7");
    bench.file("empty", b"");
    bench.file("a.unfreed", &whole);
    for (arguments, says) in [
        (&["analyze", "absent.unfreed"][..], "cannot open absent.unfreed"),
        (&["analyze", "other.txt"], "other.txt is no trace"),
        (&["analyze", "empty"], "empty is no trace"),
        (&["analyze", "dump.dmp"], "the minidump is damaged"),
        (&["analyze", "."], ". is a directory"),
        (&["analyze", "a.unfreed", "other.txt"], "other.txt is no trace"),
        (&["analyze", "a.unfreed", "--output", "no/where"], "cannot write the result to no/where"),
        (&["analyze", "a.unfreed", "--fixes", "nowhere"], "cannot take in the fixes in nowhere"),
        (&["analyze", "a.unfreed", "--min-confidence", "7"], "is no confidence"),
        (&["fixes", "show", "KB0"], "no fix has the id KB0"),
        (&["fixes", "check", "nowhere"], "cannot check nowhere"),
    ] {
        let told = bench.run(arguments);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        let said = told.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(said.contains("what to do: ") || said.contains("--help"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_truncated_trace_gives_what_it_has_and_says_what_is_missing() {
    let bench = Bench::new();
    let whole = server("1.2.0", true);
    bench.file("cut.unfreed", &whole[..whole.len() * 3 / 4]);
    let told = bench.run(&["analyze", "--json", "cut.unfreed"]);
    let report: Report = serde_json::from_str(&told.out).unwrap();
    assert!(!report.faults.is_empty(), "{told:?}");
    assert!(report.faults.iter().all(|fault| fault.offset <= whole.len() as u64));
    let told = bench.run(&["analyze", "cut.unfreed"]);
    assert!(told.out.contains("Damaged at byte "), "{}", told.out);
    assert!(!told.out.contains("Nothing was lost."), "{}", told.out);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let bench = Bench::new();
    bench.file("leak.unfreed", &server("1.2.0", true));
    let mut command = bench.command(&["analyze", "--json", "leak.unfreed"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let told = Told::from(command.stdout(writer).stderr(Stdio::piped()).output().unwrap());
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""));
}

#[test]
fn a_programs_own_wrapper_is_not_to_blame() {
    let bench = Bench::new();
    let mut t = Synth::linux();
    let mailer = t.process("mailer");
    for caller in 0..6 {
        let caller = format!("mailer!part{caller}");
        let stack = ["libmade-up.so.1!malloc", "mailer!grab", &caller, "mailer!main"];
        t.churn(mailer, &stack, 100, 2000, 0.0..30.0, 0.01);
    }
    let stack = ["libmade-up.so.1!malloc", "mailer!grab", "mailer!forget", "mailer!main"];
    t.leak(mailer, &stack, 64, 2000, 0.0..30.0);
    bench.file("wrapped.unfreed", &t.build());
    let told = bench.run(&["analyze", "--json", "wrapped.unfreed"]);
    let report: Report = serde_json::from_str(&told.out).unwrap();
    let blamed: Vec<_> = report.suspects.iter().map(|s| s.function.as_str()).collect();
    assert_eq!(blamed, ["forget"]);
}

#[test]
fn a_block_freed_twice_is_told_with_where_it_was_allocated() {
    let bench = Bench::new();
    let mut t = Synth::linux();
    let mailer = t.process("mailer");
    let stack = ["libmade-up.so.1!malloc", "mailer!session_new", "mailer!main"];
    for second in 1..20 {
        t.double_free(f64::from(second), mailer, &stack, 96);
    }
    t.lasts(30.0);
    bench.file("twice.unfreed", &t.build());
    let told = bench.run(&["analyze", "--json", "--min-confidence", "0", "twice.unfreed"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let json: Value = serde_json::from_str(&told.out).unwrap();
    let suspect = &json["suspects"][0];
    assert_eq!(suspect["kind"], "over-release", "{suspect}");
    assert_eq!(suspect["function"], "session_new");
    assert_eq!(suspect["over_release"]["count"], 19);
    let told = bench.run(&["analyze", "--min-confidence", "0", "twice.unfreed"]);
    assert!(told.out.starts_with("Freed too often: "), "{}", told.out);
    let told = bench.run(&["diff", "--min-confidence", "0", "twice.unfreed", "twice.unfreed"]);
    assert!(told.out.contains("Unchanged: session_new"), "{}", told.out);
}

#[test]
fn a_published_fix_is_matched() {
    let bench = Bench::new();
    let mut t = Synth::windows();
    let inetinfo = t.process("Inetinfo.exe");
    t.module(inetinfo, windows_module("Cdoexm.dll", "6.0.6617.47"));
    let stack = ["ntdll.dll!RtlAllocateHeap", "Cdoexm.dll+0x1234", "Inetinfo.exe+0x10"];
    t.leak(inetinfo, &stack, 260, 2000, 0.0..60.0);
    bench.file("cdo.unfreed", &t.build());
    let told = bench.run(&["fixes", "match", "cdo.unfreed", "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let json: Value = serde_json::from_str(&told.out).unwrap();
    let fixes = json["suspects"][0]["fixes"].as_array().unwrap();
    assert!(!fixes.is_empty());
    for fix in fixes {
        assert!(!fix["reasons"].as_array().unwrap().is_empty(), "{fix}");
    }
    let told = bench.run(&["fixes", "match", "cdo.unfreed"]);
    assert!(told.out.starts_with("Cdoexm.dll+0x"), "{}", told.out);
}

/// An own catalogue in the configuration directory overrides and extends, and is shown as nobody's but the user's.
#[test]
fn an_own_catalogue_is_taken_in_and_said_to_be_ones_own() {
    let bench = Bench::new();
    let own = bench.directory.path().join("config/unfreed/fixes");
    fs::create_dir_all(&own).unwrap();
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixes/KB896064.toml")).unwrap();
    fs::write(
        own.join("MINE.toml"),
        text.replace("KB896064", "MINE").replace("6.0.6617.63", "6.0.9999.1"),
    )
    .unwrap();
    let run = |config: &str, arguments: &[&str]| -> Told {
        let mut command = bench.command(arguments);
        let directory = if cfg!(windows) { "APPDATA" } else { "XDG_CONFIG_HOME" };
        command.env(directory, config).output().unwrap().into()
    };
    let config = bench.directory.path().join("config");
    let config = config.to_str().unwrap();
    let listed = run(config, &["fixes", "list"]);
    assert!(
        listed.out.contains("MINE") && listed.out.contains("(your catalogue)"),
        "{}",
        listed.out
    );
    let shown = run(config, &["fixes", "show", "MINE", "--json"]);
    let json: Value = serde_json::from_str(&shown.out).unwrap();
    assert!(
        json["fixes"][0]["origin"].as_str().unwrap().contains("not checked by unfreed"),
        "{json}"
    );
    let whole = run(config, &["fixes", "show", "KB891509", "--json"]);
    let whole: Value = serde_json::from_str(&whole.out).unwrap();
    let whole = &whole["fixes"][0];
    for at in ["/settings/0/set", "/lines/0/files/0/fixed", "/remedy/steps/0", "/sources/0/title"] {
        assert!(whole.pointer(at).is_some_and(Value::is_string), "{at}: {whole}");
    }
    // A relative path counts for nothing.
    let relative = run("config", &["fixes", "list"]);
    assert!(!relative.out.contains("MINE"), "{}", relative.out);
    let mut t = Synth::windows();
    let program = t.process("mailboxes.exe");
    t.module(program, windows_module("Cdoexm.dll", "6.0.6617.63"));
    let stack = ["ntdll.dll!RtlAllocateHeap", "Cdoexm.dll+0x1234", "mailboxes.exe+0x10"];
    t.leak(program, &stack, 260, 2000, 0.0..60.0);
    bench.file("cdo.unfreed", &t.build());
    let told = run(config, &["analyze", "cdo.unfreed"]);
    assert!(told.out.contains("MINE applies"), "{}", told.out);
    let said = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("not signed your own catalogue, not checked by unfreed"), "{said}");
    fs::write(own.join("WRONG.toml"), "id = 1").unwrap();
    let wrong = run(config, &["fixes", "list"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("WRONG.toml"), "{}", wrong.err);
}

#[test]
fn a_changelog_that_is_given_is_read() {
    let bench = Bench::new();
    let mut t = Synth::linux();
    let broker = t.process("mosquitto");
    let stack = [
        "libc.so.6!malloc",
        "mosquitto!packet__read_string",
        "mosquitto!handle__publish",
        "mosquitto!main",
    ];
    t.leak(broker, &stack, 32, 2000, 0.0..60.0);
    bench.file("broker.unfreed", &t.build());
    bench.file("changelog", b"mosquitto (2.0.11-9) unstable; urgency=low\n\n  * 5f57de21\n");
    let given = bench.run(&["fixes", "match", "broker.unfreed", "--changelog", "changelog"]);
    assert_eq!(given.code, Some(1), "{given:?}");
    bench.file("other", b"no changelog");
    for (argument, says) in
        [("other", "other is no package's changelog"), ("absent", "absent cannot be read")]
    {
        let told = bench.run(&["analyze", "broker.unfreed", "--changelog", argument]);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains(says), "{}", told.err);
    }
}

#[test]
fn the_catalogue_can_be_looked_at() {
    let bench = Bench::new();
    let told = bench.run(&["fixes", "list", "--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let json: Value = serde_json::from_str(&told.out).unwrap();
    let id = json["fixes"][0]["id"].as_str().unwrap();
    for arguments in [&["fixes", "list"][..], &["fixes", "show", id]] {
        let told = bench.run(arguments);
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
        assert!(told.out.contains(id), "{}", told.out);
    }
    let article =
        "DOCUMENT:Q265000  08-MAY-2002\nTITLE   :XCLN: Made up\n\nSYMPTOMS\n\nIt leaks.\n";
    bench.file("q265000.txt", article.as_bytes());
    let told = bench.run(&["fixes", "draft", "q265000.txt"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.contains("id = \"Q265000\"\ntitle = \"Made up\""), "{}", told.out);
    assert!(told.out.contains("# line 6: It leaks."), "{}", told.out);
    fs::create_dir(bench.directory.path().join("drafts")).unwrap();
    fs::write(bench.directory.path().join("drafts/Q265000.toml"), &told.out).unwrap();
    let told = bench.run(&["fixes", "check", "drafts"]);
    assert_eq!(told.code, Some(1), "a draft is no entry yet: {told:?}");
    assert!(told.out.contains("`symptom` is empty"), "{}", told.out);
    bench.file("wrong.toml", b"id = 1");
    let told = bench.run(&["fixes", "check", "."]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("wrong.toml"), "{}", told.out);
}

#[test]
fn doctor_and_help_come_on_stdout() {
    let bench = Bench::new();
    let told = bench.run(&["doctor", "--json"]);
    assert!(matches!(told.code, Some(0 | 1)), "{told:?}");
    let json: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(json["can_capture"], told.code == Some(0));
    let told = bench.run(&["doctor", "--", "no-such-program-anywhere"]);
    assert_eq!(told.code, Some(1));
    assert!(told.out.contains("no-such-program-anywhere: not found"), "{}", told.out);
    for arguments in [&["--help"][..], &["analyze", "--help"], &["--version"]] {
        let told = bench.run(arguments);
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
    assert_eq!(bench.run(&["no-such-verb"]).code, Some(2));
}
