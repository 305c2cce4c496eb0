//! A case bundle: a zip archive with our manifest, whose trace is read. It is spooled to a file without a name first, since
//! an archive has its directory at its end; so one that was unpacked and packed again by another program is read as well.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::trace::{Header, Reader};
use super::{Fault, Faults, Offset, ReadError, Source};
use crate::event::Event;

/// The part that says what the others are.
pub const MANIFEST: &str = "manifest.json";
/// The part that is the trace.
pub const TRACE: &str = "trace.unfreed";
/// What a manifest calls its archive.
pub const FORMAT: &str = "unfreed-case";

/// A manifest is a few kilobytes.
const MANIFEST_MOST: u64 = 16 << 20;
/// How many times its packed size a part may unpack to. A trace is compressed already, and a manifest is mostly checksums, while
/// deflate can be made to give a thousand times what it takes.
const UNPACKS_TO: u64 = 16;

/// What of a manifest is needed to read the trace.
#[derive(Debug, Deserialize)]
struct Manifest {
    format: String,
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    size: u64,
    sha256: String,
}

/// The hexadecimal digits of a SHA-256.
pub fn hexadecimal(sum: &[u8]) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens the trace of a bundle.
///
/// # Errors
/// It is another archive, it is damaged, or reading failed.
pub(super) fn open<'a>(mut stream: impl Read + 'a) -> Result<Box<dyn Source + 'a>, ReadError> {
    let failed = |source| ReadError::Io { offset: Offset(0), source };
    let unreadable = |what: String| ReadError::Unreadable { offset: Offset(0), what };
    let mut spool = tempfile::tempfile().map_err(failed)?;
    let packed = io::copy(&mut stream, &mut spool).map_err(failed)?;
    let most = packed.saturating_mul(UNPACKS_TO);
    let archive = zip::ZipArchive::new(spool);
    let mut archive = archive.map_err(|error| unreadable(format!("the archive: {error}")))?;
    // Which of the two is meant, each program decides for itself.
    if archive.has_duplicate_names() {
        return Err(unreadable("an archive that has two parts of one name".into()));
    }
    let mut text = String::new();
    let manifest = archive.by_name(MANIFEST).map_err(|_| ());
    let bound = MANIFEST_MOST.min(most);
    let read = manifest.and_then(|part| part.take(bound).read_to_string(&mut text).map_err(|_| ()));
    let manifest = read.ok().and_then(|_| serde_json::from_str::<Manifest>(&text).ok());
    let manifest = manifest.filter(|manifest| manifest.format == FORMAT).ok_or_else(|| {
        unreadable("an archive that is no case of unfreed; unpack it and name what is in it".into())
    })?;
    let part = manifest.parts.iter().find(|part| part.name == TRACE);
    let part = part.ok_or_else(|| unreadable("the case has no trace".into()))?;
    if part.size > most {
        let size = part.size;
        let what = format!("a case of {packed} bytes cannot have a trace of {size} in it");
        return Err(unreadable(what));
    }
    let mut trace = tempfile::tempfile().map_err(failed)?;
    let mut faults = Faults::default();
    let whole = {
        let packed = archive.by_name(TRACE);
        let packed = packed.map_err(|error| unreadable(format!("the case's trace: {error}")))?;
        copy(packed.take(part.size), &mut trace).map_err(failed)?
    };
    if whole.as_ref() != Some(&(part.size, part.sha256.clone())) {
        let what =
            "the case's trace is not the one that its manifest names: it was changed or damaged";
        faults.add_many(Offset(0), what, 1);
    }
    trace.rewind().map_err(failed)?;
    Ok(Box::new(Bundled { trace: Reader::new(trace)?, faults }))
}

/// Copies what can be unpacked; its size and SHA-256 where that is all.
fn copy(mut packed: impl Read, to: &mut File) -> io::Result<Option<(u64, String)>> {
    let mut sum = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match packed.read(&mut buffer) {
            Ok(0) => return Ok(Some((size, hexadecimal(&sum.finalize())))),
            Ok(read) => {
                sum.update(&buffer[..read]);
                size += read as u64;
                to.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Damage: what came before it is still a trace, up to there.
            Err(_) => return Ok(None),
        }
    }
}

/// A bundle's trace.
struct Bundled {
    trace: Reader<File>,
    faults: Faults,
}

impl Source for Bundled {
    fn header(&self) -> &Header {
        self.trace.header()
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        let more = self.trace.next_batch(events)?;
        if !more {
            for fault in self.trace.faults() {
                self.faults.add_many(fault.offset, fault.what.clone(), fault.count);
            }
        }
        Ok(more)
    }

    fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }
}
