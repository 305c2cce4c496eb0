//! A recording, read into a ledger: in one pass, chunk by chunk, whatever its size. What the file
//! is, is told from its content. A file that begins as a trace is read as far as it can be; what
//! cannot be read comes back as faults.

use std::fs::{File, Metadata};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use unfreed::event::Event;
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
    read_part(open_part(path)?, &mut |_| {})
}

fn read_part(part: Part<'_>, each: &mut dyn FnMut(&Event)) -> Result<Recording, Failure> {
    let Part { mut source, about } = part;
    let (ledger, faults) = fold(source.as_mut(), &about.name, each)?;
    Ok(Recording { header: source.header().clone(), ledger, faults, parts: Vec::new() })
}

/// Reads several recordings of one server as one; a single one as it is.
pub fn read_all(paths: &[PathBuf]) -> Result<Recording, Failure> {
    read_each(paths, &mut |_| {})
}

/// The same, and shows each event as it is folded.
pub fn read_each(paths: &[PathBuf], each: &mut dyn FnMut(&Event)) -> Result<Recording, Failure> {
    if let [path] = paths {
        return read_part(open_part(path)?, each);
    }
    let parts = paths.iter().map(|path| open_part(path)).collect::<Result<Vec<_>, _>>()?;
    let mut case = Case::new(parts)
        .map_err(|(name, error)| Failure::new(format!("cannot read {name}: {error}")))?;
    let (ledger, faults) = fold(&mut case, "the recordings", each)?;
    let parts = case.parts().cloned().collect();
    Ok(Recording { header: case.header().clone(), ledger, faults, parts })
}

/// Opens a recording.
pub fn open_part(path: &Path) -> Result<Part<'static>, Failure> {
    let doing = || format!("cannot read {}", path.display());
    let mut file = File::open(path)
        .told(|| format!("cannot open {}", path.display()))
        .map_err(|failure| failure.advise("check the path, and whether you may read the file"))?;
    if file.metadata().told(doing)?.is_dir() {
        return Err(
            Failure::new(format!("{} is a directory", path.display())).advise("name a trace in it")
        );
    }
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

/// Reads a trace that this very run wrote.
pub fn read_trace(trace: impl Read) -> Result<Recording, Failure> {
    let source = unfreed::read::trace::Reader::new(trace);
    let mut source = source.told(|| "cannot read the trace again".to_owned())?;
    let (ledger, faults) = fold(&mut source, "the trace again", &mut |_| {})?;
    Ok(Recording { header: source.header().clone(), ledger, faults, parts: Vec::new() })
}

fn fold(
    source: &mut dyn Source,
    name: &str,
    each: &mut dyn FnMut(&Event),
) -> Result<(Ledger, Vec<Fault>), Failure> {
    let doing = || format!("cannot read {name}");
    let mut ledger = Ledger::default();
    let mut events = Vec::new();
    let mut faults = Vec::new();
    loop {
        match source.next_batch(&mut events) {
            Ok(true) => events.iter().for_each(|event| {
                ledger.apply(event);
                each(event);
            }),
            Ok(false) => break,
            // A disk that fails in the middle: what was read so far still says something.
            Err(ReadError::Io { offset, source }) if ledger.epochs() > 0 => {
                let what = format!("reading failed here: {source}").into();
                faults.push(Fault { offset, what, count: 1 });
                break;
            }
            Err(error) => return Err(error).told(doing),
        }
    }
    let mut all = source.faults().to_vec();
    all.append(&mut faults);
    Ok((ledger, all))
}
