//! A program that is scanned by the real binary once it says that it is ready, and what was found, by
//! function.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

use unfreed::dump;
use unfreed::event::{ModuleId, ProcessId, RootKind, StackId, What};
use unfreed::ledger::Ledger;
use unfreed::read::trace::Reader;

use crate::attached::until;
use crate::support::process::{LIMIT, run};
use crate::support::programs;
use crate::support::signal::{Signal, send};
use crate::traced::{UNFREED, read};

/// What was found in one process.
#[derive(Debug, Default)]
pub struct Scanned {
    pub failed: Option<String>,
    pub whole: bool,
    pub unread_shared: u64,
    pub stopped: Duration,
    pub read: u64,
    found: BTreeMap<String, Vec<Found>>,
}

#[derive(Debug)]
struct Found {
    root: Option<RootKind>,
    module: Option<String>,
    blocks: u64,
    interior: u64,
}

impl Scanned {
    fn found(&self, function: &str) -> &[Found] {
        self.found.get(function).map_or(&[], Vec::as_slice)
    }

    /// How many of a function's blocks this leads to; `None`: nothing.
    pub fn of(&self, function: &str, root: Option<RootKind>) -> u64 {
        self.found(function).iter().filter(|found| found.root == root).map(|f| f.blocks).sum()
    }

    /// All of them.
    pub fn all(&self, function: &str) -> u64 {
        self.found(function).iter().map(|found| found.blocks).sum()
    }

    /// Every function that has blocks, and how many.
    pub fn functions(&self) -> Vec<(&str, u64)> {
        self.found.keys().map(|name| (name.as_str(), self.all(name))).collect()
    }

    /// Those to whose inside alone something leads.
    pub fn interior(&self, function: &str) -> u64 {
        self.found(function).iter().map(|found| found.interior).sum()
    }

    /// The modules that hold them.
    pub fn modules(&self, function: &str) -> Vec<&str> {
        let mut modules: Vec<&str> =
            self.found(function).iter().filter_map(|found| found.module.as_deref()).collect();
        modules.sort_unstable();
        modules.dedup();
        modules
    }
}

/// A program under unfreed that has said it is ready.
pub struct Ready {
    unfreed: std::process::Child,
    pub input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    pub pid: u32,
    trace: tempfile::TempDir,
    /// The program, if it was attached to: then the first signal ends the watching, and a second one would end unfreed.
    program: Option<Program>,
}

/// Ended with the test.
struct Program(std::process::Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ready {
    /// Starts it and waits for its number.
    pub fn start(program: &Path, arguments: &[&str], options: &[&str]) -> Ready {
        let trace = tempfile::tempdir().unwrap();
        // The first signal to unfreed ends the shell that it started; the next then ends the watching, whatever
        // still runs.
        let script = "exec 3<&0; \"$0\" \"$@\" <&3 3<&- & wait";
        let mut command = Command::new(UNFREED);
        command.args(["record", "--quiet", "--embed-symbols", "--scan"]).args(options);
        command.arg("-o").arg(trace.path().join("trace")).arg("--");
        command.args(["/bin/sh", "-c", script]).arg(program).args(arguments);
        let mut unfreed =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unfreed starts");
        let input = unfreed.stdin.take().unwrap();
        let mut output = BufReader::new(unfreed.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the program says its number");
        Ready { unfreed, input, output, pid, trace, program: None }
    }

    /// The same of one that runs already and is attached to.
    pub fn attached(program: &Path, arguments: &[&str], options: &[&str]) -> Ready {
        let trace = tempfile::tempdir().unwrap();
        let (gate, told) = (trace.path().join("gate"), trace.path().join("told"));
        run(Command::new("mkfifo").arg(&gate), LIMIT).expect_code(0);
        let mut command = Command::new(program);
        command.args(arguments).env("UNFREED_TEST_GATE", &gate);
        command.env("LD_PRELOAD", programs::gate());
        let running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut running = Program(running.expect("it starts"));
        until("the program waits at its gate", || trace.path().join("gate.up").exists());
        let mut command = Command::new(UNFREED);
        command.args(["record", "--embed-symbols", "--scan"]).args(options);
        command.arg("--attach").arg(running.0.id().to_string());
        command.arg("-o").arg(trace.path().join("trace")).stderr(File::create(&told).unwrap());
        let unfreed = command.spawn().expect("unfreed starts");
        until("unfreed has attached", || {
            std::fs::read_to_string(&told).unwrap().contains("Attached to ")
        });
        std::fs::write(&gate, "g").unwrap();
        let input = running.0.stdin.take().unwrap();
        let mut output = BufReader::new(running.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the program says its number");
        Ready { unfreed, input, output, pid, trace, program: Some(running) }
    }

    pub fn unfreed(&self) -> u32 {
        self.unfreed.id()
    }

    /// Fails unless the program answers.
    #[track_caller]
    pub fn assert_works(&mut self) {
        self.input.write_all(b"?").unwrap();
        let mut answer = [0];
        self.output.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"a");
    }

    /// Ends the watching, checks that the program goes on, and gives what was found in each process of its name.
    #[track_caller]
    pub fn scanned(self, name: &str) -> Vec<Scanned> {
        self.scanned_by(name, |_| {})
    }

    /// The same; `then` is called before the program is asked whether it goes on, with the trace.
    #[track_caller]
    pub fn scanned_by(mut self, name: &str, then: impl FnOnce(&Path)) -> Vec<Scanned> {
        let began = Instant::now();
        let mut asked = false;
        while self.unfreed.try_wait().unwrap().is_none() {
            if !(asked && self.program.is_some()) {
                send(self.unfreed.id(), Signal::Terminate);
                asked = true;
            }
            assert!(began.elapsed() < LIMIT, "unfreed does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        then(&self.trace.path().join("trace"));
        self.assert_works();
        read_found(&self.trace.path().join("trace"), name)
    }

    /// Waits until unfreed has ended by itself.
    pub fn wait(&mut self) {
        self.unfreed.wait().unwrap();
    }
}

/// Scans a program.
#[track_caller]
pub fn scanned(program: &Path, arguments: &[&str], options: &[&str]) -> Vec<Scanned> {
    let name = program.file_name().unwrap().to_str().unwrap();
    Ready::start(program, arguments, options).scanned(name)
}

fn read_found(trace: &Path, name: &str) -> Vec<Scanned> {
    let (events, faults) = read(trace);
    assert_eq!(faults, 0);
    let (mut nodes, mut modules, mut names) = (Vec::new(), HashMap::new(), HashMap::new());
    for event in &events {
        match &event.what {
            What::Stack(node) => nodes.push(*node),
            What::Module(module) => {
                modules.insert(module.id, module.identity.name.clone());
            }
            What::Name(name) => {
                names.insert((name.module, name.offset), name.functions[0].function.clone());
            }
            _ => {}
        }
    }
    // The innermost of the program's own functions: what allocates is called from there.
    let function = |stack: StackId| {
        let mut at = stack;
        while !at.is_root() {
            let node = nodes[(at.0 - StackId::FIRST.0) as usize];
            let own = |module: ModuleId| names.get(&(module, node.frame.offset));
            let named = node.frame.module.and_then(own);
            if let Some(named) = named.filter(|name| is_own(name)) {
                return named.clone();
            }
            at = node.caller;
        }
        String::from("others")
    };
    let mut processes: BTreeMap<ProcessId, Scanned> = BTreeMap::new();
    for event in &events {
        match &event.what {
            What::Process(process) if process.name == name => {
                processes.insert(event.process, Scanned::default());
            }
            What::Scan(scan) => {
                if let Some(process) = processes.get_mut(&event.process) {
                    process.failed = scan.failed.clone();
                    process.whole = scan.whole;
                    process.unread_shared = scan.unread.shared.0;
                    process.stopped = Duration::from_nanos(scan.stopped.0);
                    process.read = scan.read.0;
                }
            }
            What::Reach(reach) => {
                if let Some(process) = processes.get_mut(&event.process) {
                    let found = Found {
                        root: reach.root.map(|root| root.kind),
                        module: reach.root.and_then(|root| modules.get(&root.module?).cloned()),
                        blocks: reach.blocks,
                        interior: reach.interior,
                    };
                    process.found.entry(function(reach.stack)).or_default().push(found);
                }
            }
            _ => {}
        }
    }
    processes.into_values().collect()
}

/// What a core of a process says of the blocks that live after a trace's last event.
pub fn cored(trace: &Path, core: &Path) -> Scanned {
    let mut reader = Reader::new(File::open(trace).unwrap()).unwrap();
    let (mut ledger, mut events) = (Ledger::default(), Vec::new());
    while reader.next_chunk(&mut events).unwrap() {
        events.iter().for_each(|event| ledger.apply(event));
    }
    let started = UNIX_EPOCH + Duration::from_nanos(reader.header().started_unix_ns as u64);
    let process = dump::scan(File::open(core).unwrap(), &mut ledger, Some(started)).unwrap();
    let image = ledger.image(process).unwrap();
    let scan = image.scan.clone().unwrap();
    let mut scanned = Scanned {
        failed: scan.failed,
        whole: scan.whole,
        unread_shared: scan.unread.shared.0,
        read: scan.read.0,
        ..Scanned::default()
    };
    let named = |stack: StackId| {
        let frames = ledger.stacks().frames(stack);
        let functions = frames
            .filter_map(|frame| ledger.modules().functions(frame.module?, frame.offset).first());
        let mut own = functions.map(|named| named.function.as_str()).filter(|name| is_own(name));
        own.next().unwrap_or("others").to_owned()
    };
    let name = |module: ModuleId| Some(ledger.modules().identity(module)?.name.clone());
    for (_, site) in ledger.sites().filter(|(_, site)| site.process == process) {
        for reach in site.reach() {
            let found = Found {
                root: reach.root.map(|root| root.kind),
                module: reach.root.and_then(|root| name(root.module?)),
                blocks: reach.blocks,
                interior: reach.interior,
            };
            scanned.found.entry(named(site.stack)).or_default().push(found);
        }
    }
    scanned
}

/// Whether it is one of the functions that say what a scan must find.
fn is_own(function: &str) -> bool {
    ["lost", "held", "hidden"].iter().any(|of| function.starts_with(of))
}
