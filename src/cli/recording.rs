//! A recording, read into a ledger: in one pass, chunk by chunk, whatever its size. What the file
//! is, is told from its content. A file that begins as a trace is read as far as it can be; what
//! cannot be read comes back as faults.

use std::fs::{File, Metadata};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use unfreed::event::{Event, What};
use unfreed::ledger::Ledger;
use unfreed::read::case::{Case, Part, PartSeen};
use unfreed::read::etl::Again;
use unfreed::read::trace::Header;
use unfreed::read::{About, Fault, FileKind, ReadError, Source, Support, open, sniff};

use super::fail::{Failure, Told};
use super::progress::Progress;

/// What was read.
#[derive(Debug)]
pub struct Recording {
    /// What the trace says of itself.
    pub header: Header,
    /// What its events say.
    pub ledger: Ledger,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// The recordings, where there were several.
    pub parts: Vec<PartSeen>,
}

/// Reads a recording.
pub fn read(path: &Path) -> Result<Recording, Failure> {
    read_all(&[path.to_owned()])
}

/// Reads several recordings of one server as one; a single one as it is.
pub fn read_all(paths: &[PathBuf]) -> Result<Recording, Failure> {
    read_each(paths, &mut |_| {})
}

/// The same, and shows each event as it is folded.
pub fn read_each(paths: &[PathBuf], show: &mut dyn FnMut(&Event)) -> Result<Recording, Failure> {
    fold(Opened::open(paths)?, show)
}

/// Reads a trace that this very run wrote.
pub fn read_trace(trace: impl Read) -> Result<Recording, Failure> {
    let source = unfreed::read::trace::Reader::new(trace);
    let source = source.told(|| "cannot read the trace again".to_owned())?;
    let source = Sources::One(Box::new(source));
    fold(Opened { source, name: "the trace again".to_owned() }, &mut |_| {})
}

fn fold(mut opened: Opened<'_>, show: &mut dyn FnMut(&Event)) -> Result<Recording, Failure> {
    let mut ledger = Ledger::default();
    let faults = opened.each(&mut |events| {
        for event in events.iter() {
            ledger.apply(event);
            show(event);
        }
        true
    })?;
    Ok(Recording { header: opened.header().clone(), ledger, faults, parts: opened.parts() })
}

/// Recordings about to be read as one.
pub struct Opened<'a> {
    source: Sources<'a>,
    name: String,
}

enum Sources<'a> {
    One(Box<dyn Source + 'a>),
    Several(Box<Case<'static>>),
}

impl Opened<'_> {
    /// Opens one recording, or several of one server.
    pub fn open(paths: &[PathBuf]) -> Result<Opened<'static>, Failure> {
        if let [path] = paths {
            let Part { source, about } = open_part(path)?;
            return Ok(Opened { source: Sources::One(source), name: about.name });
        }
        let parts = paths.iter().map(|path| open_part(path)).collect::<Result<Vec<_>, _>>()?;
        let case = Case::new(parts)
            .map_err(|(name, error)| Failure::new(format!("cannot read {name}: {error}")))?;
        let source = Sources::Several(Box::new(case));
        Ok(Opened { source, name: "the recordings".to_owned() })
    }

    /// What it says of itself, as far as it is known by now.
    pub fn header(&self) -> &Header {
        match &self.source {
            Sources::One(source) => source.header(),
            Sources::Several(case) => case.header(),
        }
    }

    /// The recordings, where there are several.
    pub fn parts(&self) -> Vec<PartSeen> {
        match &self.source {
            Sources::One(_) => Vec::new(),
            Sources::Several(case) => case.parts().cloned().collect(),
        }
    }

    /// Hands out all events, batch by batch, until `take` wants no more; gives what could not be read.
    pub fn each(
        &mut self,
        take: &mut dyn FnMut(&mut Vec<Event>) -> bool,
    ) -> Result<Vec<Fault>, Failure> {
        let source = match &mut self.source {
            Sources::One(source) => source.as_mut(),
            Sources::Several(case) => case.as_mut(),
        };
        let (mut events, mut broken, mut judgeable) = (Vec::new(), None, false);
        loop {
            match source.next_batch(&mut events) {
                Ok(true) => {
                    judgeable = judgeable || events.iter().any(|event| event.what == What::Epoch);
                    if !take(&mut events) {
                        break;
                    }
                }
                Ok(false) => break,
                // A disk that fails in the middle: what was read so far still says something.
                Err(ReadError::Io { offset, source }) if judgeable => {
                    let what = format!("reading failed here: {source}").into();
                    broken = Some(Fault { offset, what, count: 1 });
                    break;
                }
                Err(error) => return Err(error).told(|| format!("cannot read {}", self.name)),
            }
        }
        let mut faults = source.faults().to_vec();
        faults.extend(broken);
        Ok(faults)
    }
}

/// Opens a recording.
pub fn open_part(path: &Path) -> Result<Part<'static>, Failure> {
    let doing = || format!("cannot read {}", path.display());
    // Windows says of a directory only that it may not be opened.
    if path.is_dir() {
        return Err(
            Failure::new(format!("{} is a directory", path.display())).advise("name a trace in it")
        );
    }
    let mut file = File::open(path)
        .told(|| format!("cannot open {}", path.display()))
        .map_err(|failure| failure.advise("check the path, and whether you may read the file"))?;
    let mut start = Vec::new();
    file.by_ref().take(4096).read_to_end(&mut start).told(doing)?;
    let kind = sniff(&start);
    match kind.map(FileKind::support) {
        Some(Support::Reads) => {}
        Some(Support::Not(why)) => {
            return Err(
                Failure::new(format!("{}: {why}", path.display())).advise(instead(kind, path))
            );
        }
        None => return Err(no_trace(path)),
    }
    let about = About {
        name: path.display().to_string(),
        modified_unix_ns: file.metadata().ok().and_then(|data| modified(&data)),
    };
    // A pipe cannot go back: what was looked at is put before the rest.
    let place = path.to_owned();
    let size = file.metadata().ok().filter(Metadata::is_file).map(|data| data.len());
    let (stream, again): (Box<dyn Read>, Option<Again<'static>>) = match file.rewind() {
        Ok(()) => (
            Box::new(Progress::new(file, "Reading", size)),
            Some(Box::new(move || Ok(Box::new(File::open(&place)?)))),
        ),
        Err(_) => {
            let stream = std::io::Cursor::new(start).chain(file);
            (Box::new(Progress::new(stream, "Reading", None)), None)
        }
    };
    let opened = kind.map(|kind| open(kind, stream, &about, again)).transpose();
    let broken = matches!(opened, Err(ReadError::Unreadable { .. }));
    let source = opened.told(doing).map_err(|failure| match broken {
        true => failure.advise(
            "if the file is damaged get it again from where it was written, and transfer it as binary",
        ),
        false => failure,
    })?;
    Ok(Part { source: source.flatten().ok_or_else(|| no_trace(path))?, about })
}

/// What to do about a file that is not read.
fn instead(kind: Option<FileKind>, path: &Path) -> String {
    match kind {
        Some(FileKind::BinaryCounters) => {
            let quoted = |path: &Path| match path.display().to_string() {
                path if path.contains(' ') => format!("\"{path}\""),
                path => path,
            };
            let text = path.with_extension("csv");
            format!("on Windows: relog {} -f csv -o {}", quoted(path), quoted(&text))
        }
        _ => "record with `unfreed record -o FILE -- CMD` instead".to_owned(),
    }
}

fn no_trace(path: &Path) -> Failure {
    Failure::new(format!("{} is no trace", path.display())).advise(
        "give a file that `unfreed record` wrote, or another kind that `unfreed analyze --help` \
         lists; if it was transferred as text, transfer it again as binary",
    )
}

/// When a file was last written, in nanoseconds since 1970-01-01 UTC.
fn modified(data: &Metadata) -> Option<i64> {
    let since = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}
