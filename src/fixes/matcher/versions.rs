//! Versions, judged within product lines. A module is faulty, fixed, of another line, or not
//! known; a line is fixed only when every file it lists is, and faulty as soon as one is. A
//! distribution's package is never called faulty by an upstream number, because its version may carry
//! backports.

use std::cmp::Ordering;

use unfreed_symbols::{ModuleIdentity, Package, PackageManager};

use super::build;
use super::package;
use super::view::{View, is_called};
use crate::event::FactKind;
use crate::fixes::entry::{End, Entry, Line, LineFile, Provenance};
use crate::fixes::lines::belongs;
use crate::fixes::matched::{Reason, Standing};
use crate::fixes::product::Product;
use crate::fixes::version::{FileVersion, Scheme, Version};

/// What the files of a line say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// At least one has the fault.
    Affected,
    /// Not enough is known.
    Unknown,
    /// All have the fix.
    Fixed,
    /// Older than the first version with the fault, or newer than the last.
    OutsideRange,
    /// They are another product's.
    OtherLine,
}

/// Judges every file of a line; with a reason for each.
pub(super) fn judge(entry: &Entry, line: &Line, view: &View<'_>) -> (State, Vec<Reason>) {
    let mut states = Vec::new();
    let mut reasons = Vec::new();
    for file in &line.files {
        let modules = view.modules_called(&file.name);
        let judged =
            modules.into_iter().map(|module| judge_module(entry, line, file, module, view));
        // Of two modules of one name the worse one stands for the file.
        let (state, text) = judged.min_by_key(|judged| judged.0).unwrap_or_else(|| {
            let text = format!(
                "{} is not loaded, so its version is not known: look at the file",
                file.name
            );
            (State::Unknown, text)
        });
        let standing = match state {
            State::Affected => Standing::Yes,
            State::Unknown => Standing::Unknown,
            State::Fixed | State::OutsideRange | State::OtherLine => Standing::No,
        };
        reasons.push(Reason { clause: "version".to_owned(), standing, text });
        states.push(state);
    }
    let has = |state| states.contains(&state);
    let state = if has(State::Affected) {
        State::Affected
    } else if has(State::OutsideRange) {
        State::OutsideRange
    } else if !states.is_empty() && states.iter().all(|&state| state == State::Fixed) {
        State::Fixed
    } else if !states.is_empty() && states.iter().all(|&state| state == State::OtherLine) {
        State::OtherLine
    } else {
        State::Unknown
    };
    (state, reasons)
}

/// Whether a module's version says that it belongs to none of the entry's lines that list it.
pub(super) fn is_of_another_line(entry: &Entry, module: &ModuleIdentity) -> bool {
    let mut lines = entry
        .lines
        .iter()
        .flat_map(|line| line.files.iter().map(move |file| (line, file)))
        .filter(|(_, file)| is_called(module, &file.name))
        .peekable();
    lines.peek().is_some()
        && lines.all(|(line, file)| match (&file.line, Subject::of(line, module, None)) {
            (Some(prefix), Subject::Own(version)) => belongs(&version, prefix) == Some(false),
            _ => false,
        })
}

fn judge_module(
    entry: &Entry,
    line: &Line,
    file: &LineFile,
    module: &ModuleIdentity,
    view: &View<'_>,
) -> (State, String) {
    let name = &module.name;
    if let Some(judged) = build::judge(file, module) {
        return judged;
    }
    match Subject::of(line, module, Some(view)) {
        Subject::Unknown(why) => (State::Unknown, format!("{name}: {why}")),
        Subject::OtherLine(why) => (State::OtherLine, format!("{name}: {why}")),
        Subject::Own(version) => {
            match file.line.as_ref().map(|prefix| belongs(&version, prefix)) {
                Some(Some(false)) => {
                    let text = format!(
                        "{name} {version} is not of {}, whose versions of it begin with {}",
                        line.product,
                        file.line.as_ref().map(Version::to_string).unwrap_or_default()
                    );
                    return (State::OtherLine, text);
                }
                Some(None) => {
                    return (State::Unknown, format!("{name} {version}: too short to compare"));
                }
                Some(Some(true)) => {}
                None => {
                    if let Some(own) = line_of_its_own(entry, file, &version) {
                        return (State::OtherLine, format!("{name} {version} {own}"));
                    }
                }
            }
            let (state, how) = judge_range(file, |bound| compare(&version, bound));
            (state, format!("{name} {version} {how}"))
        }
        Subject::Packaged(package) => package::judge(entry, file, package, view.changelogs),
    }
}

/// In words, where a version belongs to a line of the entry that is about it alone: a branch that was maintained beside the main
/// one got the fix at a number of its own, and what holds in general says nothing of it.
pub(super) fn line_of_its_own(entry: &Entry, file: &LineFile, version: &Version) -> Option<String> {
    let files = entry.lines.iter().flat_map(|line| &line.files);
    let mut prefixes = files
        .filter(|other| file.line.is_none() && other.name.eq_ignore_ascii_case(&file.name))
        .filter_map(|other| other.line.as_ref());
    let prefix = prefixes.find(|prefix| belongs(version, prefix) == Some(true))?;
    Some(format!("is judged as one of {prefix}, which has a fix of its own"))
}

/// What is known of a module's version.
enum Subject<'m> {
    /// A version of its own.
    Own(Version),
    /// A distribution's package, whose version may carry backports.
    Packaged(&'m Package),
    /// Nothing that compares.
    Unknown(String),
    /// It is not of this line.
    OtherLine(String),
}

impl<'m> Subject<'m> {
    fn of(line: &Line, module: &'m ModuleIdentity, view: Option<&View<'_>>) -> Subject<'m> {
        match line.scheme {
            Scheme::Windows => match &module.file_version {
                None => Subject::Unknown("its file version was not read".to_owned()),
                Some(text) => FileVersion::parse(text).map_or_else(
                    || Subject::Unknown(format!("its version `{text}` cannot be read")),
                    |version| Subject::Own(Version::Windows(version)),
                ),
            },
            Scheme::Dotted | Scheme::Semver => Subject::release(line, module, view),
            Scheme::Debian => Subject::of_distribution(line, module, PackageManager::Dpkg),
            Scheme::Rpm => Subject::of_distribution(line, module, PackageManager::Rpm),
        }
    }

    fn release(line: &Line, module: &'m ModuleIdentity, view: Option<&View<'_>>) -> Subject<'m> {
        let package = module.package.as_ref();
        // A packaging note without a distribution is the vendor's own word on the file.
        let own_note = |package: &&Package| {
            package.manager == PackageManager::Note && package.distribution.is_none()
        };
        if let Some(package) = package.filter(|package| !own_note(package)) {
            return Subject::Packaged(package);
        }
        let product = Product::parse(&line.product);
        let fact = view.and_then(|view| {
            let mut facts =
                view.evidence.facts.iter().filter(|fact| fact.kind == FactKind::Product);
            facts.find(|fact| Product::parse(&fact.subject) == product)?.value.as_deref()
        });
        let noted = package.map(|package| package.version.as_str());
        match module.file_version.as_deref().or(noted).or(fact) {
            None => Subject::Unknown("its version is not known".to_owned()),
            Some(text) => line.scheme.parse(text).map_or_else(
                || {
                    Subject::Unknown(format!(
                        "its version `{text}` cannot be compared with releases"
                    ))
                },
                Subject::Own,
            ),
        }
    }

    fn of_distribution(line: &Line, module: &'m ModuleIdentity, by: PackageManager) -> Subject<'m> {
        let Some(package) = module.package.as_ref().filter(|package| package.manager == by) else {
            return Subject::OtherLine("no package of that distribution owns it".to_owned());
        };
        match (&package.distribution, &line.distribution) {
            (Some(its), Some(wanted)) if its.eq_ignore_ascii_case(wanted) => {}
            (Some(its), _) => return Subject::OtherLine(format!("its package is of {its}")),
            (None, _) => {
                return Subject::Unknown("its package's distribution is not known".to_owned());
            }
        }
        line.scheme.parse(&package.version).map_or_else(
            || {
                Subject::Unknown(format!(
                    "its package's version `{}` cannot be read",
                    package.version
                ))
            },
            Subject::Own,
        )
    }
}

pub(super) fn compare(version: &Version, bound: &Version) -> Option<Ordering> {
    match (version, bound) {
        (Version::Windows(version), Version::Windows(bound)) => version.against(bound),
        (Version::Dotted(version), Version::Dotted(bound)) => Some(version.cmp(bound)),
        (Version::Debian(version), Version::Debian(bound)) => Some(version.cmp(bound)),
        (Version::Rpm(version), Version::Rpm(bound)) => Some(version.cmp(bound)),
        (Version::Semver(version), Version::Semver(bound)) => Some(version.cmp(bound)),
        _ => None,
    }
}

/// Where a version lies in a file's ranges, and in words how it compares.
pub(super) fn judge_range(
    file: &LineFile,
    compare: impl Fn(&Version) -> Option<Ordering>,
) -> (State, String) {
    let unclear = |bound: &Version| (State::Unknown, format!("cannot be compared with {bound}"));
    if let Some(fixed) = &file.fixed {
        match compare(fixed) {
            Some(Ordering::Less) => {}
            Some(_) => {
                return (State::Fixed, format!("is not older than {fixed}, which has the fix"));
            }
            None => return unclear(fixed),
        }
    }
    if let Some(from) = &file.from {
        match compare(from) {
            Some(Ordering::Less) => {
                let text = format!("is older than {from}, the first with the fault");
                return (State::OutsideRange, text);
            }
            Some(_) => {}
            None => return unclear(from),
        }
    }
    if let Some(seen) = &file.seen_from {
        match compare(seen) {
            Some(Ordering::Less) => {
                let text =
                    format!("is older than {seen}, the oldest that was seen to have the fault");
                return (State::Unknown, text);
            }
            Some(_) => {}
            None => return unclear(seen),
        }
    }
    let since = match (&file.from, &file.seen_from) {
        (None, None) => " (since when is not stated)",
        _ => "",
    };
    match &file.end {
        End::Before(bound) => match compare(bound) {
            Some(Ordering::Less) => {
                let has =
                    if file.fixed.as_ref() == Some(bound) { ", which has the fix" } else { "" };
                (State::Affected, format!("is older than {bound}{has}{since}"))
            }
            Some(_) => beyond(file),
            None => unclear(bound),
        },
        End::Through(bound) => match compare(bound) {
            Some(Ordering::Greater) => beyond(file),
            Some(_) => (
                State::Affected,
                format!("is not newer than {bound}, the last with the fault{since}"),
            ),
            None => unclear(bound),
        },
        End::NotStated => match &file.fixed {
            Some(fixed) if file.is_in_no_release() => {
                let text = format!(
                    "is older than {fixed}, which has the fix; no release has the fault, but a build from source that \
                     bears its number may: see its build-id"
                );
                (State::Unknown, text)
            }
            Some(fixed) => {
                let list = match file.provenance {
                    Provenance::Rollup => " by the list of a rollup",
                    _ => "",
                };
                let text = format!(
                    "is older than {fixed}, which has the fix{list}; whether an earlier one has it is not stated"
                );
                (State::Unknown, text)
            }
            None => (
                State::Affected,
                "is of the line that has the fault; no fixed version is stated".to_owned(),
            ),
        },
    }
}

fn beyond(file: &LineFile) -> (State, String) {
    match file.fixed {
        Some(_) => (
            State::Unknown,
            "lies between the last version with the fault and the first with the fix".to_owned(),
        ),
        // Upstream has the fix and has not released it; which release will have it nobody can say.
        None if file.provenance == Provenance::Release => (
            State::Unknown,
            "is newer than the last release that was looked at, which has the fault".to_owned(),
        ),
        None => (State::OutsideRange, "is newer than the last version with the fault".to_owned()),
    }
}
