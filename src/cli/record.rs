//! `unfreed record`: starts a program and writes its allocations to a file, to be analysed later
//! or elsewhere. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use unfreed::event::{Event, ModuleId, Name, NamedFunction, ProcessId, Tid, Time, Trust, What};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::report::text::page::words;
use unfreed::report::text::units::{bytes, counted};
use unfreed_symbols::{ModuleIdentity, ModuleOffset, OffsetKind};

use super::Outcome;
use super::fail::Failure;
use super::options::Capture;
use super::output::{Io, shown};
use super::recorder::Recorder;
use super::watch::Watch;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The trace to write; only you may read it. On Windows, one that ends with .etl is an event trace log, as WPA and
    /// PerfView open it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Put the names of functions in too, for a machine without these symbols
    #[arg(long)]
    embed_symbols: bool,
    /// Look for symbols in PATH too (may be given several times)
    #[arg(long, value_name = "PATH", requires = "embed_symbols")]
    symbols: Vec<PathBuf>,
    /// Say nothing when done
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    capture: Capture,
}

/// Records a program.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let path = &args.output;
    let Some(watch) = Watch::of(&args.capture, io)? else { return Ok(Outcome::Clear) };
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("etl")) {
        return record_log(args, watch, io);
    }
    let mut recorder = Recorder::create(path, &watch.header())?;
    let mut frames = args.embed_symbols.then(Frames::default);
    // A scan asks which blocks live.
    let mut ledger = args.capture.scan.then(Ledger::default);
    watch.warn_before_end();
    let watched = watch.run(args.capture.duration, ledger.as_mut(), &mut |event| {
        if let Some(frames) = &mut frames {
            frames.note(event);
        }
        recorder.take(event);
    })?;
    for event in frames.map(|frames| frames.named(&args.symbols)).unwrap_or_default() {
        recorder.take(&event);
    }
    let concluded = recorder.finish(io);
    if let (Ok(summary), false) = (&concluded, args.quiet) {
        let size =
            format!(": {}, {}", counted(summary.events, "event", "events"), bytes(summary.bytes));
        io.tell(&[words("Recorded "), shown(path), words(size)]);
        io.tell(&[words("Next: unfreed analyze "), shown(path)]);
    }
    watched.conclude(concluded.map(|_| Outcome::Clear), args.capture.target_status)
}

/// Records to an event trace log, as Windows' own tools open it.
fn record_log(args: &Args, watch: Watch, io: &Io) -> Result<Outcome, Failure> {
    let path = &args.output;
    if args.embed_symbols {
        return Err(Failure::new("an event trace log has no room for names of functions")
            .advise("record to another file (`-o trace.unfreed`), or leave out --embed-symbols"));
    }
    let watched = watch.log(path.clone())?.run(args.capture.duration, None, &mut |_| {})?;
    if !args.quiet {
        io.tell(&[words("Recorded "), shown(path)]);
        io.tell(&[words("Next: unfreed analyze "), shown(path)]);
    }
    watched.conclude(Ok(Outcome::Clear), args.capture.target_status)
}

/// The frames of a trace in the making, to be named at its end.
#[derive(Debug, Default)]
struct Frames {
    modules: BTreeMap<ModuleId, ModuleIdentity>,
    frames: BTreeSet<(ModuleId, u64, Trust)>,
    last: (Time, ProcessId, Tid),
}

impl Frames {
    fn note(&mut self, event: &Event) {
        self.last = (event.time, event.process, event.thread);
        match &event.what {
            What::Module(module) => {
                self.modules.insert(module.id, module.identity.clone());
            }
            What::Stack(node) => {
                if let Some(module) = node.frame.module {
                    self.frames.insert((module, node.frame.offset, node.frame.trust));
                }
            }
            _ => {}
        }
    }

    /// One event for each frame that has a name.
    fn named(self, symbols: &[PathBuf]) -> Vec<Event> {
        let (time, process, thread) = self.last;
        let mut namer = Namer::new(Store::new(StoreOptions::from_environment(symbols.to_vec())));
        let mut events = Vec::new();
        for (module, offset, trust) in self.frames {
            let Some(identity) = self.modules.get(&module) else { continue };
            let kind = if trust == Trust::Context { OffsetKind::Exact } else { OffsetKind::Return };
            let functions: Vec<NamedFunction> = namer
                .name(identity, ModuleOffset(offset), kind)
                .iter()
                .filter_map(|found| {
                    Some(NamedFunction {
                        function: found.function.clone()?,
                        file: found.file.clone(),
                        line: found.line,
                    })
                })
                .collect();
            if !functions.is_empty() {
                let what = What::Name(Box::new(Name { module, offset, functions }));
                events.push(Event { time, process, thread, what });
            }
        }
        events
    }
}
