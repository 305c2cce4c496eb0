//! Changelogs of distributions' packages: what a package says of itself. A version that is older than upstream's fix may
//! carry it as a backport, and then the changelog mostly names the CVE, the bug or the commit. Both layouts are read:
//! Debian's (`mosquitto (2.0.11-1.2+deb12u2) bookworm; urgency=...`) and RPM's (`* Tue Jan 02 2024 Name <mail> - 2.0.14-3`).
//! This reads no files; whoever does hands the text over.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use unfreed_symbols::{Package, PackageManager};

use super::version::{DebianVersion, RpmVersion};

/// Changelogs by the binary package's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changelogs {
    by_package: BTreeMap<String, Changelog>,
}

impl Changelogs {
    /// Adds a package's changelog, in place of one that was there.
    pub fn insert(&mut self, package: &str, changelog: Changelog) {
        self.by_package.insert(package.to_owned(), changelog);
    }

    /// The changelog of a package, where there is one.
    pub fn of(&self, package: &Package) -> Option<&Changelog> {
        self.by_package.get(&package.name)
    }
}

/// One package's changelog.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changelog {
    /// The source package, where the layout names it.
    source: Option<String>,
    /// Version and text of each release of the package, as ordered in the file: mostly newest first.
    releases: Vec<Release>,
}

#[derive(Clone, Debug, PartialEq)]
struct Release {
    version: String,
    text: String,
}

impl Changelog {
    /// Reads either layout; `None` where no release was found.
    pub fn parse(text: &str) -> Option<Changelog> {
        let mut changelog = Changelog::default();
        for line in text.lines() {
            let header = debian_header(line).map(|(source, version)| (Some(source), version));
            if let Some((source, version)) = header.or_else(|| Some((None, rpm_header(line)?))) {
                changelog.source = changelog.source.or(source.map(str::to_owned));
                let version = version.to_owned();
                changelog.releases.push(Release { version, text: String::new() });
            } else if let Some(release) = changelog.releases.last_mut() {
                release.text.push_str(line);
                release.text.push('\n');
            }
        }
        (!changelog.releases.is_empty()).then_some(changelog)
    }

    /// The source package that it is of, where it says so.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Which of these references the package names, up to its own version: with the release that does so. An error
    /// says why the changelog is not that package's.
    pub fn names(
        &self,
        package: &Package,
        references: &[String],
    ) -> Result<Option<String>, String> {
        let same = |release: &Release| order(package, &release.version) == Some(Ordering::Equal);
        if !self.releases.iter().any(same) {
            let newest = self.releases.first().map_or("nothing", |release| &release.version);
            return Err(format!("it begins with {newest} and has no {}", package.version));
        }
        let own = |release: &&Release| {
            matches!(order(package, &release.version), Some(Ordering::Less | Ordering::Equal))
        };
        for release in self.releases.iter().filter(own) {
            for item in items(&release.text) {
                let Some(named) = references.iter().find(|reference| names(item, reference)) else {
                    continue;
                };
                let told = format!("{} names {named}", release.version);
                let takes_back = |word: &&&str| item.to_ascii_lowercase().contains(**word);
                return match TAKES_BACK.iter().find(takes_back) {
                    Some(word) => Err(format!("{told} beside `{word}`; read what became of it")),
                    None => Ok(Some(told)),
                };
            }
        }
        Ok(None)
    }
}

/// Words with which a changelog takes a change back, or says that it was left out. The newest word on a fix counts.
const TAKES_BACK: [&str; 8] =
    ["revert", "drop", "disable", "back out", "not fix", "unfixed", "not affected", "still open"];

/// The single items of a release's text: each begins with a mark of its own.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let begins = |line: &str| line.trim_start().starts_with(['*', '-', '+']);
    let mut starts: Vec<usize> = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if begins(line) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(text.len());
    let ends: Vec<usize> = starts.iter().skip(1).copied().collect();
    starts.into_iter().zip(ends).filter_map(|(from, to)| text.get(from..to))
}

/// How a release's version stands to the package's.
fn order(package: &Package, release: &str) -> Option<Ordering> {
    match package.manager {
        PackageManager::Rpm => {
            // An RPM changelog has no epochs, and no distribution's mark at the end.
            let bare = |text: &str| text.split_once(':').map_or(text, |(_, rest)| rest).to_owned();
            let (mine, theirs) = (bare(&package.version), bare(release));
            let marked = mine.strip_prefix(&theirs).is_some_and(|rest| rest.starts_with('.'));
            if marked && theirs.contains('-') {
                return Some(Ordering::Equal);
            }
            Some(RpmVersion::parse(&theirs)?.cmp(&RpmVersion::parse(&mine)?))
        }
        PackageManager::Dpkg | PackageManager::Note => {
            // A package that was only built again (`+b1`) has the changelog of what it was built from.
            let rebuilt = package.version.rsplit_once("+b").filter(|(_, number)| {
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
            });
            let mine = rebuilt.map_or(package.version.as_str(), |(version, _)| version);
            Some(DebianVersion::parse(release)?.cmp(&DebianVersion::parse(mine)?))
        }
    }
}

/// Whether a text names a reference: not as a part of a longer number or word.
fn names(text: &str, reference: &str) -> bool {
    let (text, reference) = (text.to_ascii_lowercase(), reference.to_ascii_lowercase());
    if reference.is_empty() {
        return false;
    }
    // A commit is also named by more of its digits than the entry has.
    let commit = reference.len() >= 7 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    let joins = |c: char| c.is_ascii_alphanumeric();
    text.match_indices(&reference).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + reference.len()..).and_then(|after| after.chars().next());
        let apart = after.is_none_or(|c| !joins(c) || (commit && c.is_ascii_hexdigit()));
        (reference.starts_with('#') || before.is_none_or(|c| !joins(c))) && apart
    })
}

/// `source (version) distributions; urgency=...`
fn debian_header(line: &str) -> Option<(&str, &str)> {
    let (source, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    let named = !source.is_empty() && source.bytes().all(plain);
    (named && rest.contains(';') && DebianVersion::parse(version).is_some())
        .then_some((source, version))
}

/// `* Tue Jan 02 2024 Name <mail> - 2.0.14-3`, with or without the dash, the version also in brackets.
fn rpm_header(line: &str) -> Option<&str> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let rest = line.strip_prefix("* ")?;
    DAYS.iter().find_map(|day| rest.strip_prefix(day)?.strip_prefix(' '))?;
    let last = rest.split_whitespace().next_back()?;
    let version = last.trim_matches(['[', ']', '(', ')']);
    let told = version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('-');
    (told && RpmVersion::parse(version).is_some()).then_some(version)
}
