//! What a run changes on the machine, noted in a file before it is changed: sessions, which outlive whoever started them, and programs'
//! flags. Each run has a file of its own; it goes when everything is undone. A file whose run is gone is
//! what a crash left, and the next start, or `unfreed doctor --repair`, undoes it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::flag::Before;

/// How a file's name ends.
const END: &str = "trail.json";

/// What a run changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The number of the process that made the changes.
    pub pid: u32,
    /// When it began: a number is used again.
    pub began: u64,
    /// Sessions, by name.
    pub sessions: Vec<String>,
    /// Programs' flags as they were.
    pub flags: Vec<Before>,
}

/// A run's file.
#[derive(Debug)]
pub struct Trail {
    path: PathBuf,
}

impl Trail {
    /// Notes what is about to be changed. It is on the disk when this returns.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn begin(directory: &Path, changed: &Changed) -> io::Result<Trail> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}-{}.{END}", changed.pid, changed.began));
        let mut file = File::create(&path)?;
        file.write_all(&serde_json::to_vec_pretty(changed)?)?;
        file.sync_all()?;
        Ok(Trail { path })
    }

    /// Everything is undone.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn end(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// What runs that are gone have left. A file that cannot be read is left alone and said.
pub fn left(
    directory: &Path,
    runs: &dyn Fn(&Changed) -> bool,
) -> (Vec<(Trail, Changed)>, Vec<PathBuf>) {
    let (mut all, mut unread) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(directory) else { return (all, unread) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(END));
    paths.sort();
    for path in paths {
        let read = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match read {
            Some(changed) if runs(&changed) => {}
            Some(changed) => all.push((Trail { path }, changed)),
            None => unread.push(path),
        }
    }
    // The latest first: what an earlier run found is what a later one is to leave.
    all.sort_by_key(|(_, changed): &(Trail, Changed)| std::cmp::Reverse(changed.began));
    (all, unread)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::collect::etw::registry::View;

    #[test]
    fn what_a_run_left_is_found_until_it_is_undone() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("unfreed");
        assert!(left(&directory, &|_| false).0.is_empty());
        let flags = vec![Before {
            program: "störe.exe".to_owned(),
            view: View::Narrow,
            had_key: true,
            flags: Some(6),
        }];
        let sessions = vec!["unfreed heap 4711".to_owned()];
        let changed = Changed { pid: 4711, began: 12, sessions, flags };
        let later = Changed { began: 13, ..changed.clone() };
        Trail::begin(&directory, &changed).unwrap();
        Trail::begin(&directory, &later).unwrap();
        fs::write(directory.join(format!("1-1.{END}")), "{").unwrap();
        assert!(left(&directory, &|_| true).0.is_empty());
        let (found, unread) = left(&directory, &|_| false);
        assert_eq!(
            found.iter().map(|(_, changed)| changed).collect::<Vec<_>>(),
            [&later, &changed]
        );
        assert_eq!(unread.len(), 1);
        for (trail, _) in found {
            trail.end().unwrap();
        }
        assert!(left(&directory, &|_| false).0.is_empty());
    }
}
