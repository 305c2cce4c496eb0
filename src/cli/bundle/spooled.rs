//! Recordings as the one trace of a case: read once, then written anew, cut down and redacted where that is wanted, and judged again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::PathBuf;

use unfreed::bundle::manifest::TraceKept;
use unfreed::bundle::{Cut, Redactor, names, same_suspects, suspected};
use unfreed::event::{Event, ProcessId, StackId, Tid, Time, What};
use unfreed::read::Fault;
use unfreed::read::Source;
use unfreed::read::trace::{Header, Reader, Writer};

use super::super::conclusion::Analyst;
use super::super::diff::Side;
use super::super::fail::{Failure, Told};
use super::super::progress::Progress;
use super::super::recording;
use super::doing;

/// A trace up to this size is left whole.
const WHOLE: u64 = 4 << 20;

/// Recordings as one trace in a file without a name: they may be pipes, and are needed twice.
pub struct Spooled {
    file: File,
    header: Header,
    /// What they say.
    pub side: Side,
    suspects: BTreeSet<(ProcessId, StackId)>,
    names: Vec<What>,
}

impl Spooled {
    /// Reads them, and judges.
    pub fn read(
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
        if let Some(redactor) = redactor {
            paths.iter().for_each(|path| redactor.learn_recording(&path.display().to_string()));
        }
        Ok(Spooled { file, header, side, suspects, names: Vec::new() })
    }

    /// The modules on the suspects' stacks, without versions in their names.
    pub fn suspected(&self) -> BTreeSet<String> {
        suspected(&self.side.recording.ledger, &self.suspects)
    }

    /// Finds the names that it is to have, those of all frames in these modules among them.
    pub fn find_names(
        &mut self,
        modules: &BTreeSet<String>,
        redactor: Option<&mut Redactor>,
        analyst: &mut Analyst,
    ) {
        let ledger = &self.side.recording.ledger;
        self.names = names(ledger, &mut analyst.namer, &self.suspects, modules);
        if let Some(redactor) = redactor {
            for what in &self.names {
                redactor.learn(&event(Time(0), what.clone()));
            }
        }
    }

    /// The trace for the case: whole where it is small, else cut where that says the same.
    pub fn keep(
        &mut self,
        cut: bool,
        mut redactor: Option<&mut Redactor>,
        analyst: &mut Analyst,
    ) -> Result<(Side, File, TraceKept), Failure> {
        let size = self.file.metadata().told(doing)?.len();
        if cut && size > WHOLE {
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
        let how = match (cut, size > WHOLE, same_suspects) {
            (false, _, true) => "whole: there is no other recording",
            (true, true, true) => "whole: cut down it would have had other verdicts",
            (true, false, true) => "whole: it is small",
            (_, _, false) => {
                "whole, but analysed again it gives other suspects, names or fixes than the recordings: see there"
            }
        };
        Ok((side, trace, TraceKept { whole: true, how: how.to_owned(), same_suspects }))
    }

    /// The trace anew, with names, and what it says then.
    pub fn rewritten(
        &mut self,
        mut redactor: Option<&mut Redactor>,
        mut cut: Option<Cut>,
        analyst: &mut Analyst,
    ) -> Result<(Side, File), Failure> {
        let file = tempfile::tempfile().told(doing)?;
        let mut writer = Writer::new(file.try_clone().told(doing)?, &self.header).told(doing)?;
        self.file.rewind().told(doing)?;
        let mut reader = Reader::new(progress(&self.file, "Writing the trace")).told(doing)?;
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
        let mut recording = recording::read_trace(progress(&trace, "Reading it again"))?;
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

fn progress<'a>(file: &'a File, doing: &'static str) -> BufReader<Progress<&'a File>> {
    let size = file.metadata().ok().map(|data| data.len());
    BufReader::new(Progress::new(file, doing, size))
}
