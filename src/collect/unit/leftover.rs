//! What an unfreed that was killed left behind: drop-ins and places whose owner is gone. Whoever
//! traces a service next clears it away first; nothing of an unfreed that lives is touched.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use unfreed_wire::{MAGIC, Pulse, Session, VERSION};

use super::dropin::{FILE, OWNER as WRITTEN_BY};
use super::error::UnitError;
use super::place::{self, BASES, OWNER, SECRET, SESSION};
use super::properties::UnitName;
use super::systemctl::Systemctl;

pub(super) const DROP_INS: &str = "/run/systemd/system";

/// A process that cannot be mistaken for a later one with its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: u32,
    /// When it started, in ticks since the machine did.
    start: u64,
}

impl Owner {
    pub(super) fn own() -> Owner {
        let pid = std::process::id();
        Owner { pid, start: start_of(pid).unwrap_or(0) }
    }

    /// As it is kept beside the session.
    pub(super) fn line(self, unit: &UnitName) -> String {
        format!("{} {} {}\n", self.pid, self.start, unit.as_str())
    }

    fn parse(line: &str) -> Option<(Owner, UnitName)> {
        let mut words = line.split_whitespace();
        let owner = Owner { pid: words.next()?.parse().ok()?, start: words.next()?.parse().ok()? };
        Some((owner, UnitName::new(words.next()?).ok()?))
    }

    fn lives(self) -> bool {
        start_of(self.pid) == Some(self.start)
    }
}

fn start_of(pid: u32) -> Option<u64> {
    start_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `stat`; field 2 is a name in parentheses that may hold anything. A process that only
/// waits to be waited for, by field 3, is none.
fn start_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    fields.nth(18)?.parse().ok().filter(|_| !matches!(state, "Z" | "X"))
}

/// Held while places are claimed and cleared, so that no two unfreed do so at once.
pub(super) fn lock() -> Result<File, UnitError> {
    let failed = || UnitError::file("cannot lock", DROP_INS);
    let directory = File::open(DROP_INS).map_err(failed())?;
    flock(&directory, FlockOperation::LockExclusive).map_err(io::Error::from).map_err(failed())?;
    Ok(directory)
}

/// What was cleared away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Drop-ins that were removed.
    pub drop_ins: Vec<PathBuf>,
    /// Places that were removed.
    pub places: Vec<PathBuf>,
    /// Places that a service has until it is restarted: only the agent's file is left in them.
    pub kept: Vec<PathBuf>,
}

impl Cleared {
    /// Whether there was nothing.
    pub fn is_empty(&self) -> bool {
        self.drop_ins.is_empty() && self.places.is_empty() && self.kept.is_empty()
    }
}

/// Clears away what no living unfreed owns.
///
/// # Errors
/// It could not be removed, or systemd could not be told.
pub fn clear(systemctl: &Systemctl) -> Result<Cleared, UnitError> {
    let _lock = lock()?;
    let mut cleared = Cleared::default();
    let mut living = Vec::new();
    for place in BASES.iter().flat_map(|base| entries(Path::new(base))) {
        let owner = fs::read_to_string(place.join(OWNER)).ok();
        match owner.and_then(|line| Owner::parse(&line)) {
            Some((owner, unit)) if owner.lives() => living.push(unit),
            _ => {
                silence(&place.join(SECRET).join(SESSION));
                cleared.places.push(place);
            }
        }
    }
    for directory in entries(Path::new(DROP_INS)) {
        let file = directory.join(FILE);
        let unit = directory.file_stem().and_then(|name| UnitName::new(name.to_str()?).ok());
        let ours = fs::read_to_string(&file).is_ok_and(|text| text.starts_with(WRITTEN_BY));
        if ours && !unit.is_some_and(|unit| living.contains(&unit)) {
            remove(&file)?;
            cleared.drop_ins.push(file);
        }
    }
    if !cleared.drop_ins.is_empty() {
        systemctl.run(&["daemon-reload"])?;
    }
    (cleared.places, cleared.kept) =
        cleared.places.into_iter().partition(|place| place::remove(place));
    Ok(cleared)
}

/// Who traces a service now, if anybody: pid.
pub fn traced_by(unit: &UnitName) -> Option<u32> {
    BASES.iter().find_map(|base| {
        let owner = place::Place::path(base, unit).join(OWNER);
        let (owner, _) = Owner::parse(&fs::read_to_string(owner).ok()?)?;
        owner.lives().then_some(owner.pid)
    })
}

/// Removes a drop-in, and its directory if nothing else is in it.
pub(super) fn remove(file: &Path) -> Result<(), UnitError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(UnitError::file("cannot remove", file)(error));
        }
        _ => {}
    }
    if let Some(directory) = file.parent() {
        let _ = fs::remove_dir(directory);
    }
    Ok(())
}

/// Tells the agents that nobody reads any more, which their unfreed did not come to.
fn silence(session: &Path) {
    let Ok(file) = fs::OpenOptions::new().read(true).write(true).open(session) else { return };
    let mut start = [0; 12];
    let known = file.read_exact_at(&mut start, 0).is_ok()
        && start[..8] == MAGIC.to_le_bytes()
        && start[8..] == VERSION.to_le_bytes();
    if known {
        // Best effort: agents that are not told fill their rings and then drop.
        let at = std::mem::offset_of!(Session, pulse) + std::mem::offset_of!(Pulse, closed);
        let _ = file.write_all_at(&1u32.to_le_bytes(), at as u64);
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_known_by_its_start_too() {
        let unit = UnitName::new("mail").unwrap();
        let own = Owner::own();
        assert_eq!(Owner::parse(&own.line(&unit)), Some((own, unit)));
        assert!(own.lives());
        assert!(!Owner { start: own.start + 1, ..own }.lives(), "a later process with its pid");
        assert_eq!(Owner::parse("12 x mail"), None);
        let stat = |state: &str| {
            format!("7 (a) b) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 0 99 5")
        };
        assert_eq!(start_in(&stat("S")), Some(99));
        assert_eq!(start_in(&stat("Z")), None);
    }
}
