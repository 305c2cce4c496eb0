//! Records of processes.

use super::payload::Payload;
use super::record::Record;

/// A process, as one record tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessRecord {
    /// The system's number for it.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// How it exited; of use in the record of its end.
    pub status: i32,
    /// The program's file name.
    pub name: String,
    /// Command line, arguments apart; empty where the version has none.
    pub command: Vec<String>,
}

impl ProcessRecord {
    /// Reads a record of a process; `None` where it is too short, or has no name: then its pointers are not as wide as its
    /// header says.
    ///
    /// ```text
    /// version 0   pid, parent u32
    /// version 1   directory table p, pid, parent, session, status u32
    /// version 2   key p, the same without the table
    /// version 3   the same, directory table p
    /// version 4   the same, flags u32
    /// then        SID, name (bytes up to a NUL), from version 2 on the command line (UTF-16)
    /// SID         u32 0, or a TOKEN_USER of two pointers and a SID of 8 + 4n bytes, n at its byte 1; Windows leaves the
    ///             first pointer as it was, others have written 0
    /// ```
    pub fn read(record: &Record<'_>) -> Option<ProcessRecord> {
        let mut from = Payload::of(record);
        if record.version >= 1 {
            from.pointer()?;
        }
        let mut process =
            ProcessRecord { pid: from.u32()?, parent: from.u32()?, ..ProcessRecord::default() };
        if record.version >= 1 {
            from.u32()?;
            process.status = from.u32()?.cast_signed();
        }
        if record.version >= 3 {
            from.pointer()?;
        }
        if record.version >= 4 {
            from.u32()?;
        }
        let (sid, none) = (skip_sid(from, record.width.bytes()), skip_u32(from));
        // No name is empty.
        let named = |from: &Payload<'_>| from.rest().first().is_some_and(|byte| *byte != 0);
        from = none.filter(named).or(sid.filter(named))?;
        process.name = from.text();
        if record.version >= 2 {
            process.command = arguments(&from.utf16());
        }
        Some(process)
    }
}

fn skip_u32(mut from: Payload<'_>) -> Option<Payload<'_>> {
    (from.u32()? == 0).then_some(from)
}

fn skip_sid(mut from: Payload<'_>, pointer: usize) -> Option<Payload<'_>> {
    from.take(2 * pointer)?;
    let [revision, authorities] = *from.rest().first_chunk()?;
    from.take(8 + 4 * usize::from(authorities))?;
    (revision == 1).then_some(from)
}

/// A command line's arguments: apart at blanks outside quotation marks. Backslashes before quotation marks are
/// rare enough to be left as they are.
fn arguments(line: &str) -> Vec<String> {
    let (mut all, mut current, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for character in line.chars() {
        match character {
            '"' => (quoted, any) = (!quoted, true),
            ' ' | '\t' if !quoted => {
                if std::mem::take(&mut any) {
                    all.push(std::mem::take(&mut current));
                }
            }
            _ => {
                current.push(character);
                any = true;
            }
        }
    }
    if any {
        all.push(current);
    }
    all
}
