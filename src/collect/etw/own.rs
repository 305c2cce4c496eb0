//! Records that unfreed itself puts into the stream: what a module's file is, and settings, samples and marks.
//!
//! What a module is, is said in the records that Windows' own tools put at a log's end for it
//! (`KernelTraceControl`), so that WPA finds its symbols and versions by them. The others have a class of their own, which
//! other readers pass over; the reader of logs knows it ([`told`]).

use unfreed_symbols::ModuleIdentity;

use super::properties::Guid;
use crate::event::{Fact, Mark, Sample};
use crate::read::etl::told;

/// `b3e675d7-2554-4f18-830b-2762732560de`
const SYMBOLS: Guid = [
    0xd7, 0x75, 0xe6, 0xb3, 0x54, 0x25, 0x18, 0x4f, 0x83, 0x0b, 0x27, 0x62, 0x73, 0x25, 0x60, 0xde,
];
const FILE: u8 = 0;
const PDB: u8 = 36;
const VERSION: u8 = 64;

/// The longest text put into a record, in characters.
const LONGEST: usize = 4096;

/// Of which process and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The process; 0 where it is of none.
    pub pid: u32,
    /// The time, in units of the session's clock.
    pub time: u64,
}

/// Puts behind `out` what is known of a file that is mapped at `base`: its stamp, program database and version.
pub fn module(stamp: Stamp, base: u64, identity: &ModuleIdentity, out: &mut Vec<u8>) {
    let Some(pe) = &identity.pe else { return };
    let mut file = Vec::new();
    file.extend(base.to_le_bytes());
    file.extend(u64::from(pe.image_size).to_le_bytes());
    file.extend(stamp.pid.to_le_bytes());
    file.extend(pe.timestamp.to_le_bytes());
    wide(&identity.name, &mut file);
    record(SYMBOLS, FILE, stamp, &file, out);
    if let Some(pdb) = &identity.pdb
        && let Some(guid) = guid(&pdb.guid)
    {
        let mut payload = base.to_le_bytes().to_vec();
        payload.extend(stamp.pid.to_le_bytes());
        payload.extend(guid);
        payload.extend(pdb.age.to_le_bytes());
        payload.extend(pdb.name.bytes().filter(|byte| *byte != 0).take(LONGEST));
        payload.push(0);
        record(SYMBOLS, PDB, stamp, &payload, out);
    }
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    let (file_version, product) = (some(&identity.file_version), some(&pe.product_version));
    if file_version.is_empty() && product.is_empty() {
        return;
    }
    let mut payload = pe.image_size.to_le_bytes().to_vec();
    payload.extend(pe.timestamp.to_le_bytes());
    let company = some(&pe.company);
    // Original name, description, file version, binary version, language, product, company, product version, two ids.
    for text in [
        identity.name.as_str(),
        "",
        &file_version,
        &file_version,
        "",
        "",
        &company,
        &product,
        "",
        "",
    ] {
        wide(text, &mut payload);
    }
    record(SYMBOLS, VERSION, stamp, &payload, out);
}

/// Puts behind `out` that a process was found running: as the kernel's record of the first version that has no more than its
/// number and its name.
pub fn process(stamp: Stamp, name: &str, out: &mut Vec<u8>) -> bool {
    let mut payload = vec![0; 8];
    payload.extend(stamp.pid.to_le_bytes());
    // Parent, session, status, no user.
    payload.extend([0; 16]);
    payload.extend(name.bytes().filter(|byte| *byte != 0).take(LONGEST));
    payload.push(0);
    hooked(0x0303, 1, stamp, &payload, out)
}

/// Puts behind `out` that an image was found mapped: as the kernel's record of version 2.
pub fn image(stamp: Stamp, base: u64, size: u64, path: &str, out: &mut Vec<u8>) -> bool {
    let mut payload = base.to_le_bytes().to_vec();
    payload.extend(size.to_le_bytes());
    payload.extend(stamp.pid.to_le_bytes());
    // Neither checksum nor time stamp is known, nor what follows.
    payload.extend([0; 36]);
    wide(path, &mut payload);
    hooked(0x1403, 2, stamp, &payload, out)
}

/// A record with a header of the kernel's: `version 2, kind, marker, size 2, hook 2, thread 4, process 4, time 8, processor times 8`.
fn hooked(hook: u16, version: u8, stamp: Stamp, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let begin = out.len();
    out.extend([version, 0, 2, 0xc0]);
    out.extend(((32 + payload.len()) as u16).to_le_bytes());
    out.extend(hook.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(stamp.pid.to_le_bytes());
    out.extend(stamp.time.to_le_bytes());
    out.extend([0; 8]);
    out.extend(payload);
    out.resize(begin + (out.len() - begin).next_multiple_of(8), 0);
    true
}

/// Puts a fact behind `out`.
pub fn fact(stamp: Stamp, fact: &Fact, out: &mut Vec<u8>) {
    let mut payload = vec![fact.kind as u8, u8::from(fact.value.is_some()), 0, 0];
    wide(&fact.subject, &mut payload);
    wide(fact.value.as_deref().unwrap_or_default(), &mut payload);
    record(told::CLASS, told::FACT, stamp, &payload, out);
}

/// Puts a sample behind `out`.
pub fn sample(stamp: Stamp, sample: Sample, out: &mut Vec<u8>) {
    let mut payload = u32::from(sample.metric as u8).to_le_bytes().to_vec();
    payload.extend(sample.value.to_le_bytes());
    record(told::CLASS, told::SAMPLE, stamp, &payload, out);
}

/// Puts a mark behind `out`.
pub fn mark(stamp: Stamp, mark: &Mark, out: &mut Vec<u8>) {
    let mut payload = u32::from(mark.count.is_some()).to_le_bytes().to_vec();
    payload.extend(mark.count.unwrap_or_default().to_le_bytes());
    wide(&mark.text, &mut payload);
    record(told::CLASS, told::MARK, stamp, &payload, out);
}

/// The records that stand one behind the other in `bytes`, as the functions above put them.
pub fn each(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = u16::from_le_bytes(*bytes.first_chunk()?);
        let (record, rest) =
            bytes.split_at_checked(usize::from(size).next_multiple_of(8)).filter(|_| size > 0)?;
        bytes = rest;
        Some(record)
    })
}

/// A record with a full header and wide pointers: `size 2, kind, marker, opcode, level, version 2, thread 4, process 4, time 8,
/// GUID 10, processor times 8`.
fn record(class: Guid, opcode: u8, stamp: Stamp, payload: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    // Every text is cut, so that no record is longer than 16 bits tell.
    let size = (48 + payload.len()) as u16;
    out.extend(size.to_le_bytes());
    out.extend([20, 0xc0, opcode, 0, 0, 0]);
    out.extend(0u32.to_le_bytes());
    out.extend(stamp.pid.to_le_bytes());
    out.extend(stamp.time.to_le_bytes());
    out.extend(class);
    out.extend([0; 8]);
    out.extend(payload);
    out.resize(begin + (out.len() - begin).next_multiple_of(8), 0);
}

fn wide(text: &str, out: &mut Vec<u8>) {
    let units = text.encode_utf16().filter(|unit| *unit != 0).take(LONGEST);
    out.extend(units.flat_map(u16::to_le_bytes));
    out.extend([0, 0]);
}

/// A GUID as it lies in memory, from its 32 digits.
fn guid(digits: &str) -> Option<Guid> {
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
    let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = number.to_be_bytes();
    let mut bytes = [a3, a2, a1, a0, b1, b0, c1, c0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..].copy_from_slice(&d);
    Some(bytes)
}
