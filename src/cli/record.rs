//! `unfreed record`: starts a program and writes its allocations to a file, to be analysed later
//! or elsewhere. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use unfreed::event::{Event, ModuleId, Name, NamedFunction, ProcessId, Tid, Time, Trust, What};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::{Summary, Writer};
use unfreed::report::text::page::{Ink, words};
use unfreed::report::text::units::{bytes, counted};
use unfreed_symbols::{ModuleIdentity, ModuleOffset, OffsetKind};

use super::Outcome;
use super::fail::{Failure, Told};
use super::options::Capture;
use super::output::{Io, shown};
use super::watch::Watch;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The trace to write; only you may read it
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

/// A kill, or a full disk, loses at most what happened in this time.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Records a program.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let path = &args.output;
    let doing = || format!("cannot write the trace {}", path.display());
    let Some(watch) = Watch::of(&args.capture, io)? else { return Ok(Outcome::Clear) };
    let mut writer = Writer::create(path, &watch.header())
        .told(doing)
        .map_err(|failure| failure.advise("choose a directory that you may write to"))?;
    let mut failed: Option<io::Error> = None;
    let mut frames = args.embed_symbols.then(Frames::default);
    let mut flushed = Time(0);
    // A scan asks which blocks live.
    let mut ledger = args.capture.scan.then(Ledger::default);
    let watched = watch.run(args.capture.duration, ledger.as_mut(), &mut |event| {
        if let Some(frames) = &mut frames {
            frames.note(event);
        }
        // The writer fails once and then drops: the program must not suffer for a full disk.
        let mut written = writer.write(event);
        // So that a kill loses little. Epochs come often enough to look at the time.
        if event.what == What::Epoch && event.time.0 - flushed.0 > FLUSH_EVERY.as_nanos() as u64 {
            flushed = event.time;
            written = written.and_then(|()| writer.flush());
        }
        if let Err(error) = written {
            failed.get_or_insert(error);
        }
    })?;
    for event in frames.map(|frames| frames.named(&args.symbols)).unwrap_or_default() {
        if let Err(error) = writer.write(&event) {
            failed.get_or_insert(error);
        }
    }
    // What is still held back counts as lost, too, where it cannot be written.
    if let Err(error) = writer.flush() {
        failed.get_or_insert(error);
    }
    let concluded = writer.finish().told(doing).and_then(|summary| {
        tell_cut(summary, io);
        match failed {
            None => Ok(summary),
            Some(error) => {
                let lost = counted(summary.dropped, "event", "events");
                Err(Failure::new(format!("{}: {error}; {lost} lost", doing())).advise(
                    "make room and record again; what was written until then can be analysed",
                ))
            }
        }
    });
    if let (Ok(summary), false) = (&concluded, args.quiet) {
        let size =
            format!(": {}, {}", counted(summary.events, "event", "events"), bytes(summary.bytes));
        io.tell(&[words("Recorded "), shown(path), words(size)]);
        io.tell(&[words("Next: unfreed analyze "), shown(path)]);
    }
    watched.conclude(concluded.map(|_| Outcome::Clear), args.capture.target_status)
}

/// Tells what of the events did not fit into a trace. It is told even where nothing else is to be
/// said: the trace itself does not show it.
fn tell_cut(summary: Summary, io: &Io) {
    if summary.cut == 0 {
        return;
    }
    let cut = counted(summary.cut, "text or list was", "texts or lists were");
    let text = format!("{cut} too long for a trace (a command line, a path) and cut short.");
    io.tell(&[words(text).ink(Ink::Warning)]);
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
