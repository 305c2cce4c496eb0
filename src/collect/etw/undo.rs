//! What a run changes on the machine, changed and undone: sessions and programs' flags, with a note on the disk meanwhile. Whichever
//! way a run ends, it is undone as this is dropped; where it cannot be (a kill, a power cut), by the next
//! start or by `unfreed doctor --repair`.

use std::io;
use std::path::{Path, PathBuf};

use super::error::NO_SUCH_SESSION;
use super::flag::{self, Before};
use super::properties::{self, KERNEL_LOGGER};
use super::registry::Machine;
use super::trail::{self, Changed, Trail};
use super::{EtwError, ffi};

/// What the names of our sessions begin with.
const OURS: &str = "unfreed ";

/// What has to be undone.
#[derive(Debug)]
pub struct Undo {
    changed: Changed,
    trail: Option<Trail>,
}

/// Where runs note what they change.
pub fn directory() -> PathBuf {
    let base = std::env::var_os("ProgramData").map_or_else(std::env::temp_dir, PathBuf::from);
    base.join("unfreed")
}

/// The sessions of this process: of heaps, and of the system.
pub fn names(shared: bool) -> (String, String) {
    let pid = std::process::id();
    let system = if shared { KERNEL_LOGGER.to_owned() } else { format!("{OURS}system {pid}") };
    (format!("{OURS}heap {pid}"), system)
}

impl Undo {
    /// Notes in `directory` what will be changed, and sets the heap tracing flags of `programs`. The sessions are still to be
    /// started.
    ///
    /// # Errors
    /// The note cannot be written, or a flag not be set; then all is as before.
    pub fn begin(
        directory: &Path,
        sessions: Vec<String>,
        programs: &[String],
    ) -> Result<Undo, EtwError> {
        let mut flags = Vec::new();
        for program in programs {
            let failed = |cause| EtwError::Flag { program: program.clone(), cause };
            if let Some(other) = flagged_by(directory, program) {
                let what = format!("process {other} of unfreed waits for it already");
                return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, what)));
            }
            flags.extend(flag::before(&Machine, program).map_err(failed)?);
        }
        let began = ffi::Seen::open(std::process::id()).and_then(|own| own.began());
        let (pid, began) = (std::process::id(), began.unwrap_or_default());
        let changed = Changed { pid, began, sessions, flags };
        let what = "cannot note on the disk what will be changed";
        let trail =
            Trail::begin(directory, &changed).map_err(|cause| EtwError::System { what, cause })?;
        let undo = Undo { changed, trail: Some(trail) };
        if let Err(cause) = flag::set(&mut Machine, &undo.changed.flags) {
            let program = programs.join(", ");
            return Err(EtwError::Flag { program, cause });
        }
        Ok(undo)
    }

    /// Puts the programs' flags back, while sessions still run. Once more is no harm.
    pub fn put_flags_back(&self) {
        if let Err(error) = put_back(&self.changed.flags) {
            tracing::warn!("a tracing flag could not be put back yet: {error}");
        }
    }

    /// A session of this name could not be started: if there is one, it is somebody else's.
    pub fn not_ours(&mut self, session: &str) {
        self.changed.sessions.retain(|name| name != session);
    }
}

/// Whether somebody runs a session of this name.
pub fn runs_session(name: &str) -> bool {
    let about = properties::about(name).ok();
    // One that runs says how large its buffers are; Wine agrees to any name and fills in nothing.
    about
        .and_then(|about| ffi::query(name, &about).ok())
        .is_some_and(|block| properties::is_filled_in(&block))
}

impl Drop for Undo {
    fn drop(&mut self) {
        // Ours that were stopped already are not there.
        match undo(&self.changed) {
            Ok(()) => {
                if let Some(Err(error)) = self.trail.take().map(Trail::end) {
                    tracing::warn!("a note of what was undone stays behind: {error}");
                }
            }
            Err(error) => tracing::warn!(
                "not everything could be put back ({error}): run `unfreed doctor --repair`"
            ),
        }
    }
}

/// The other running unfreed that has a program's flag set.
fn flagged_by(directory: &Path, program: &str) -> Option<u32> {
    let (all, _) = trail::left(directory, &|_| false);
    let has = |flag: &Before| flag.program.eq_ignore_ascii_case(program);
    let found = all.into_iter().find(|(_, one)| runs(one) && one.flags.iter().any(has))?;
    Some(found.1.pid)
}

fn runs(changed: &Changed) -> bool {
    ffi::Seen::open(changed.pid)
        .is_some_and(|seen| seen.ended().is_none() && seen.began() == Some(changed.began))
}

/// Undoes a run's changes. A note is only a file: nothing is touched that could not be ours.
fn undo(changed: &Changed) -> io::Result<()> {
    let mut result = put_back(&changed.flags);
    let ours = |name: &&String| name.starts_with(OURS) || *name == KERNEL_LOGGER;
    for name in changed.sessions.iter().filter(ours) {
        // One that cannot be stopped keeps nothing else as it is.
        let stopped = stop(name);
        result = result.and(stopped);
    }
    result
}

fn put_back(flags: &[Before]) -> io::Result<()> {
    let is_name = |flag: &&Before| flag::program(&flag.program).as_ref() == Some(&flag.program);
    let flags: Vec<Before> = flags.iter().filter(is_name).cloned().collect();
    flag::restore(&mut Machine, &flags)
}

/// Stops a session, if it is there.
fn stop(name: &str) -> io::Result<()> {
    let about = properties::about(name).map_err(io::Error::other)?;
    match ffi::stop(name, &about) {
        Ok(_) | Err(NO_SUCH_SESSION) => Ok(()),
        Err(code) => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// The numbers of the processes whose changes were undone.
    pub undone: Vec<u32>,
    /// Programs whose flags were put back.
    pub programs: Vec<String>,
    /// What could not be undone, in words.
    pub failed: Vec<String>,
}

/// Undoes what runs that are gone have left.
pub fn repair(directory: &Path) -> Repaired {
    let (all, unread) = trail::left(directory, &runs);
    let mut repaired = Repaired::default();
    for path in unread {
        repaired.failed.push(format!("{} cannot be read", path.display()));
    }
    for (trail, changed) in all {
        // Sessions end with the system: those of before it was started are not there, and one of that name is another's.
        let mut changed = changed;
        if changed.began < booted() {
            changed.sessions.clear();
        }
        match undo(&changed).and_then(|()| trail.end()) {
            Ok(()) => {
                repaired.undone.push(changed.pid);
                repaired.programs.extend(changed.flags.into_iter().map(|flag| flag.program));
            }
            Err(error) => {
                repaired.failed.push(format!("what process {} left: {error}", changed.pid));
            }
        }
    }
    repaired.programs.sort();
    repaired.programs.dedup();
    repaired
}

/// How many runs that are gone have left something.
pub fn left(directory: &Path) -> usize {
    let (all, unread) = trail::left(directory, &runs);
    all.len() + unread.len()
}

/// When the system was started, as FILETIME.
pub fn booted() -> u64 {
    filetime(std::time::SystemTime::now()).saturating_sub(ffi::since_boot() * 10_000)
}

/// A time as FILETIME: units of 100 ns since 1601-01-01 UTC.
pub fn filetime(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let units = since.as_nanos() / 100 + 116_444_736_000_000_000;
    u64::try_from(units).unwrap_or(u64::MAX)
}
