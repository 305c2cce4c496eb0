//! The case bundle: everything that support needs, in one archive. The trace in it is written first and analysed again, and the
//! report is made of that: so what is redacted in the trace is redacted in every part, and the case says what the original said,
//! or that it does not.

mod archive;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};

use unfreed::bundle::manifest::{Input, SCHEMA, TraceKept};
use unfreed::bundle::{Cut, Manifest, Redactor, fixes, missing, modules, names, same_suspects};
use unfreed::event::{Event, ProcessId, StackId, Tid, Time, What};
use unfreed::read::bundle::{FORMAT, TRACE};
use unfreed::read::trace::{Header, Reader, Writer};
use unfreed::read::{Fault, Source};
use unfreed::report::html::Made;
use unfreed::report::text::page::words;

use super::conclusion::Analyst;
use super::diff::{Side, held_against};
use super::doctor;
use super::fail::{Failure, Told};
use super::output::{Io, deliver, shown};
use super::recording;
use super::report::{Kind, render};
use archive::{Bytes, Content, archive, sum};

/// A trace up to this size is left whole.
const WHOLE: u64 = 4 << 20;

/// What the user asked for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The recordings.
    pub files: &'a [PathBuf],
    /// An earlier one.
    pub baseline: Option<&'a Path>,
    /// The archive to write.
    pub output: &'a Path,
    /// Whether names are to be replaced.
    pub redact: bool,
    /// Whether the recordings themselves go in.
    pub with_originals: bool,
    /// Whether to say nothing.
    pub quiet: bool,
}

fn doing() -> String {
    "cannot write the case".to_owned()
}

/// Writes a case; says whether it has no suspects.
pub fn write(wanted: &Wanted<'_>, analyst: &mut Analyst, io: &Io) -> Result<bool, Failure> {
    let mut redactor = wanted.redact.then(known_here);
    let mut original = Spooled::read(wanted.files, redactor.as_mut(), analyst)?;
    let earlier =
        wanted.baseline.map(|path| Spooled::read(&[path.to_owned()], redactor.as_mut(), analyst));
    let (mut side, mut trace, kept) = original.keep(redactor.as_mut(), analyst)?;
    if let Some(mut earlier) = earlier.transpose()? {
        let before = earlier.rewritten(redactor.as_mut(), None, analyst)?.0;
        side.report.baseline = Some(held_against(&before, &side, &mut analyst.namer));
    }
    let inputs = inputs(wanted, &original.side, redactor.as_mut())?;
    let made = Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: "unfreed analyze case.zip".to_owned(),
    };
    let mut parts = vec![Content::of(TRACE, Bytes::File(trace.try_clone().told(doing)?))?];
    trace.rewind().told(doing)?;
    for (name, kind) in
        [("report.html", Kind::Html), ("report.md", Kind::Markdown), ("report.json", Kind::Json)]
    {
        parts.push(Content::text(name, render(kind, &side, &made, analyst)?)?);
    }
    let mut plain = |text: String| match redactor.as_mut() {
        Some(redactor) => {
            redactor.learn_text(&text);
            redactor.text(&text)
        }
        None => text,
    };
    let environment = format!(
        "The machine on which the case was written; report.json tells of the one that was traced.\n\n{}",
        doctor::environment()
    );
    let notices = analyst.namer.notices();
    let log: String = notices
        .iter()
        .map(|notice| plain(format!("symbols: {}: {}\n", notice.place, notice.what)))
        .collect();
    parts.push(Content::text("modules.csv", modules(&side.recording.ledger))?);
    parts.push(Content::text("fixes.txt", fixes(&side.report))?);
    parts.push(Content::text("environment.txt", plain(environment))?);
    parts.push(Content::text("log.txt", log)?);
    for (input, path) in inputs.iter().zip(wanted.files) {
        if let Some(part) = &input.part {
            let file = File::open(path).told(doing)?;
            parts.push(Content::of(part, Bytes::File(file))?);
        }
    }
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        parts: parts.iter().map(|part| part.part.clone()).collect(),
        inputs,
        trace: kept,
        missing: missing(&side.report, &side.recording.ledger),
        redacted: redactor.as_ref().map(Redactor::removed),
    };
    archive(wanted, &manifest, parts, io)?;
    if let Some(redactor) = &redactor {
        key(wanted, redactor, io)?;
    }
    if !wanted.quiet {
        for missing in &manifest.missing {
            io.tell(&[words(format!("Missing: {}. {}", missing.what, missing.command))]);
        }
    }
    Ok(side.report.suspects.is_empty())
}

/// A redactor that knows who and where this is.
fn known_here() -> Redactor {
    let of = |keys: &[&str]| keys.iter().filter_map(|key| std::env::var(key).ok()).collect();
    let mut hosts: Vec<String> = of(&["HOSTNAME", "COMPUTERNAME"]);
    hosts.extend(
        std::fs::read_to_string("/proc/sys/kernel/hostname").map(|host| host.trim().to_owned()),
    );
    Redactor::new(&of(&["USER", "LOGNAME", "USERNAME"]), &hosts)
}

/// Recordings as one trace in a file without a name: they may be pipes, and are needed twice.
struct Spooled {
    file: File,
    header: Header,
    side: Side,
    suspects: BTreeSet<(ProcessId, StackId)>,
    names: Vec<What>,
}

impl Spooled {
    fn read(
        paths: &[PathBuf],
        mut redactor: Option<&mut Redactor>,
        analyst: &mut Analyst,
    ) -> Result<Self, Failure> {
        let file = tempfile::tempfile().told(doing)?;
        let spool = file.try_clone().told(doing)?;
        let mut writer = Writer::new(spool, &Header::default()).told(doing)?;
        let mut failed = None;
        let recording = recording::read_each(paths, &mut |event| {
            if let Some(redactor) = &mut redactor {
                redactor.learn(event);
            }
            if let Err(error) = writer.write(event) {
                failed.get_or_insert(error);
            }
        })?;
        failed.map_or(Ok(()), Err).told(doing)?;
        writer.finish().told(doing)?;
        let header = recording.header.clone();
        let side = Side::of(recording, analyst);
        let mut suspects: BTreeSet<_> = side
            .assessment
            .accused(analyst.min_confidence)
            .map(|judged| (judged.process, judged.stack))
            .collect();
        for over in &side.assessment.over_releases {
            suspects.insert((over.process, over.stack));
        }
        let names = names(&side.recording.ledger, &mut analyst.namer, &suspects);
        if let Some(redactor) = redactor {
            for what in &names {
                redactor.learn(&event(Time(0), what.clone()));
            }
            for path in paths {
                redactor.learn_text(&path.display().to_string());
            }
        }
        Ok(Spooled { file, header, side, suspects, names })
    }

    /// The trace for the case: whole where it is small, else cut where that says the same.
    fn keep(
        &mut self,
        mut redactor: Option<&mut Redactor>,
        analyst: &mut Analyst,
    ) -> Result<(Side, File, TraceKept), Failure> {
        let size = self.file.metadata().told(doing)?.len();
        if size > WHOLE {
            let cut = Cut::new(self.suspects.clone());
            let (side, trace) = self.rewritten(redactor.as_deref_mut(), Some(cut), analyst)?;
            if same_suspects(&side.report, &self.side.report) {
                let how = "cut: the suspects' blocks are told one by one, those of other sites counted from epoch to epoch";
                let kept = TraceKept { whole: false, how: how.to_owned(), same_suspects: true };
                return Ok((side, trace, kept));
            }
        }
        let (side, trace) = self.rewritten(redactor, None, analyst)?;
        let same_suspects = same_suspects(&side.report, &self.side.report);
        let how = match (size > WHOLE, same_suspects) {
            (true, true) => "whole: cut down it would have had other verdicts",
            (false, true) => "whole: it is small",
            (_, false) => {
                "whole, but analysed again it gives other suspects, names or fixes than the recordings: see there"
            }
        };
        Ok((side, trace, TraceKept { whole: true, how: how.to_owned(), same_suspects }))
    }

    /// The trace anew, with names, and what it says then.
    fn rewritten(
        &mut self,
        mut redactor: Option<&mut Redactor>,
        mut cut: Option<Cut>,
        analyst: &mut Analyst,
    ) -> Result<(Side, File), Failure> {
        let file = tempfile::tempfile().told(doing)?;
        let mut writer = Writer::new(file.try_clone().told(doing)?, &self.header).told(doing)?;
        self.file.rewind().told(doing)?;
        let mut reader = Reader::new(BufReader::new(&self.file)).told(doing)?;
        let (mut batch, mut out) = (Vec::new(), Vec::new());
        let mut last = Time(0);
        while reader.next_batch(&mut batch).told(doing)? {
            for event in &batch {
                last = event.time;
                match &mut cut {
                    Some(cut) => cut.event(event, &mut out),
                    None => out.push(event.clone()),
                }
            }
            write_all(&mut writer, &mut out, redactor.as_deref_mut())?;
        }
        if let Some(cut) = &mut cut {
            cut.flush(last, &mut out);
        }
        out.extend(self.names.iter().map(|what| event(last, what.clone())));
        write_all(&mut writer, &mut out, redactor.as_deref_mut())?;
        writer.finish().told(doing)?;
        let mut trace = file;
        trace.rewind().told(doing)?;
        let mut recording = recording::read_trace(BufReader::new(&trace))?;
        // What could not be read of the originals, and what these were, the trace itself does not tell.
        recording.parts = self.side.recording.parts.clone();
        if let Some(redactor) = redactor.as_deref_mut() {
            let parts = recording.parts.iter_mut();
            parts.for_each(|part| part.name = redactor.recording(&part.name));
        }
        let mut text = |text: &str| match redactor.as_deref_mut() {
            Some(redactor) => redactor.text(text),
            None => text.to_owned(),
        };
        let faults = self.side.recording.faults.iter();
        recording.faults =
            faults.map(|fault| Fault { what: text(&fault.what).into(), ..fault.clone() }).collect();
        Ok((Side::of(recording, analyst), trace))
    }
}

fn event(time: Time, what: What) -> Event {
    Event { time, process: ProcessId(0), thread: Tid(0), what }
}

fn write_all(
    writer: &mut Writer<File>,
    events: &mut Vec<Event>,
    mut redactor: Option<&mut Redactor>,
) -> Result<(), Failure> {
    for mut event in events.drain(..) {
        if let Some(redactor) = &mut redactor {
            redactor.event(&mut event);
        }
        writer.write(&event).told(doing)?;
    }
    Ok(())
}

/// What the case was made from.
fn inputs(
    wanted: &Wanted<'_>,
    side: &Side,
    mut redactor: Option<&mut Redactor>,
) -> Result<Vec<Input>, Failure> {
    let header = &side.recording.header;
    let mut inputs = Vec::new();
    for (at, path) in wanted.files.iter().enumerate() {
        let file = path.is_file().then(|| File::open(path)).transpose().told(doing)?;
        let sum = file.map(|mut file| sum(&mut file)).transpose().told(doing)?;
        let started = match side.recording.parts.get(at) {
            Some(part) => part.started_unix_ns,
            None => Some(header.started_unix_ns).filter(|started| *started > 0),
        };
        let base = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let part = format!("originals/{}-{}", at + 1, base.unwrap_or_default());
        let name = path.display().to_string();
        inputs.push(Input {
            name: match &mut redactor {
                Some(redactor) => redactor.recording(&name),
                None => name,
            },
            size: sum.as_ref().map(|(size, _)| *size),
            part: (wanted.with_originals && sum.is_some()).then_some(part),
            sha256: sum.map(|(_, sum)| sum),
            pids: side.report.target.iter().map(|target| target.pid).collect(),
            started_unix_s: started.map(|started| started as f64 / 1e9),
            utc_offset_minutes: header.utc_offset_minutes,
        });
    }
    Ok(inputs)
}

/// Writes the key beside the case; it never goes into it.
fn key(wanted: &Wanted<'_>, redactor: &Redactor, io: &Io) -> Result<(), Failure> {
    let path = wanted.output.with_extension("key.json");
    let text = unfreed::report::json::render(&redactor.key()).told(doing)?;
    deliver(text.as_bytes(), Some(&path))?;
    if !wanted.quiet {
        let removed = redactor.removed();
        let removed: Vec<String> =
            removed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        io.tell(&[
            words(format!("Replaced: {}. Keep the key to yourself: ", removed.join(", "))),
            shown(&path),
        ]);
    }
    Ok(())
}
