//! The archive itself: parts with their checksums, the manifest first.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use sha2::{Digest, Sha256};
use unfreed::bundle::Manifest;
use unfreed::bundle::manifest::Part;
use unfreed::read::bundle::{MANIFEST, TRACE, hexadecimal};
use unfreed::report::text::page::words;
use unfreed::report::text::units::bytes;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::super::aside::Aside;
use super::super::fail::{Failure, Told};
use super::super::output::{Io, shown};
use super::super::progress::Progress;
use super::{Wanted, doing};

/// Size and SHA-256 of what is copied.
pub fn sum(bytes: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, String)> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok((size, hexadecimal(&sum.finalize()))),
            read => {
                sum.update(&buffer[..read]);
                to.write_all(&buffer[..read])?;
                size += read as u64;
            }
        }
    }
}

/// Where they are.
pub enum Bytes {
    /// Here.
    Memory(Vec<u8>),
    /// In a file, from its beginning.
    File(File),
}

/// A part with its bytes.
pub struct Content {
    /// What the manifest says of it.
    pub part: Part,
    bytes: Bytes,
}

impl Content {
    /// A text.
    pub fn text(name: &str, text: String) -> Result<Self, Failure> {
        Content::of(name, Bytes::Memory(text.into_bytes()))
    }

    /// Any bytes.
    pub fn of(name: &str, mut bytes: Bytes) -> Result<Self, Failure> {
        let (size, sha256) = match &mut bytes {
            Bytes::Memory(bytes) => sum(&mut bytes.as_slice(), &mut io::sink()),
            Bytes::File(file) => file.rewind().and_then(|()| sum(file, &mut io::sink())),
        }
        .told(doing)?;
        Ok(Content { part: Part { name: name.to_owned(), size, sha256 }, bytes })
    }
}

/// Writes the archive aside, the manifest first.
pub fn archive<'w>(
    wanted: &Wanted<'w>,
    manifest: &Manifest,
    parts: Vec<Content>,
    io: &Io,
) -> Result<Aside<'w>, Failure> {
    let text = unfreed::report::json::render(manifest).told(doing)?;
    let size = parts.iter().fold(text.len() as u64, |sum, part| sum + part.part.size);
    if !wanted.quiet {
        let size = format!(": {} parts, {} before compression", parts.len() + 1, bytes(size));
        io.tell(&[words("Writing "), shown(wanted.output), words(size)]);
    }
    let mut aside = Aside::create(Some(wanted.output))?;
    let mut archive = zip::ZipWriter::new(aside.file());
    archive.start_file(MANIFEST, options(text.len() as u64)).told(doing)?;
    archive.write_all(text.as_bytes()).told(doing)?;
    for Content { part, bytes } in parts {
        let options = options(part.size);
        // A trace is compressed already.
        let stored = part.name == TRACE;
        let method = if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        archive.start_file(part.name.as_str(), options.compression_method(method)).told(doing)?;
        match bytes {
            Bytes::Memory(bytes) => archive.write_all(&bytes).told(doing)?,
            Bytes::File(mut file) => {
                file.rewind().told(doing)?;
                let mut file = Progress::new(file, "Packing", Some(part.size));
                if sum(&mut file, &mut archive).told(doing)? != (part.size, part.sha256) {
                    return Err(Failure::new(format!(
                        "{}: {} changed meanwhile",
                        doing(),
                        part.name
                    ))
                    .advise("wait until nobody writes to the recording any more"));
                }
            }
        }
    }
    archive.finish().told(doing)?;
    Ok(aside)
}

fn options(size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default().unix_permissions(0o600).large_file(size >= u64::from(u32::MAX))
}
