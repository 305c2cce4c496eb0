//! Windows file versions: four numbers, as the version resource of a PE has them. Tools print
//! them in many ways (`6.5.7232.18`, `6, 5, 7232, 18`, `06.05.7232.018 (release)`, shortened
//! to three parts); all are read. A shortened one is never filled up with zeros to decide
//! a question that its missing part would decide.

use std::cmp::Ordering;
use std::fmt;

/// A Windows file version of one to four parts.
///
/// The order is total: part by part with missing parts as zero, then the one with fewer parts
/// first. Hold a version against a bound with [`FileVersion::against`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileVersion {
    parts: [u32; 4],
    count: u8,
}

impl FileVersion {
    /// Reads one to four parts, separated by dots or by commas with or without blanks; whatever
    /// follows a blank or a bracket after them is somebody's remark. `None` for anything else.
    pub fn parse(text: &str) -> Option<FileVersion> {
        let text = text.trim();
        let end = text
            .char_indices()
            .find(|&(at, c)| match c {
                '0'..='9' | '.' | ',' => false,
                ' ' | '\t' => !text[..at].trim_end().ends_with(','),
                _ => true,
            })
            .map_or(text.len(), |(at, _)| at);
        let (numbers, rest) = text.split_at(end);
        if !rest.is_empty() && !rest.starts_with([' ', '\t', '(']) {
            return None;
        }
        let mut version = FileVersion { parts: [0; 4], count: 0 };
        for part in numbers.split(['.', ',']) {
            let slot = version.parts.get_mut(usize::from(version.count))?;
            let part = part.trim();
            if part.is_empty() {
                return None;
            }
            *slot = part.parse().ok()?;
            version.count += 1;
        }
        Some(version)
    }

    /// The parts that were given.
    pub fn parts(&self) -> &[u32] {
        self.parts.get(..usize::from(self.count)).unwrap_or(&self.parts)
    }

    /// How this version stands to a bound; `None` where its missing parts would decide
    /// (`6.5.7232` against `6.5.7232.18`).
    pub fn against(&self, bound: &FileVersion) -> Option<Ordering> {
        for (mine, theirs) in self.parts().iter().zip(bound.parts) {
            match mine.cmp(&theirs) {
                Ordering::Equal => {}
                decided => return Some(decided),
            }
        }
        let missing = bound.parts.get(usize::from(self.count)..).unwrap_or(&[]);
        if missing.iter().all(|&part| part == 0) && self.count >= bound.count {
            Some(Ordering::Equal)
        } else {
            None
        }
    }

    /// Whether the leading parts are these; `None` where too few parts are known to say.
    pub fn begins_with(&self, line: &FileVersion) -> Option<bool> {
        let mine = self.parts();
        let theirs = line.parts();
        if mine.iter().zip(theirs).any(|(mine, theirs)| mine != theirs) {
            return Some(false);
        }
        (mine.len() >= theirs.len()).then_some(true)
    }
}

impl Ord for FileVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then(self.count.cmp(&other.count))
    }
}

impl PartialOrd for FileVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts().iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}
