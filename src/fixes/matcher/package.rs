//! A distribution's package, held against upstream releases. Its version tells what it was made from, never what was
//! backported into it: so an older one is judged by its own changelog where there is one, and is `unknown` elsewhere.
//! A changelog that is silent proves nothing, for distributions also fix without saying so.

use unfreed_symbols::{Package, PackageManager};

use super::versions::{State, compare, judge_range, line_of_its_own};
use crate::fixes::changelog::Changelogs;
use crate::fixes::entry::{Entry, LineFile};
use crate::fixes::lines::belongs;
use crate::fixes::version::{DebianVersion, DottedVersion, RpmVersion, Version};

/// What a package's version and changelog say of one file.
pub(super) fn judge(
    entry: &Entry,
    file: &LineFile,
    package: &Package,
    changelogs: &Changelogs,
) -> (State, String) {
    let whole = format!("package {} {}", package.name, package.version);
    let Some(release) = upstream(package).and_then(|release| DottedVersion::parse(&release)) else {
        return (State::Unknown, format!("{whole}: which release it was made from cannot be told"));
    };
    let version = Version::Dotted(release);
    if file.line.as_ref().is_some_and(|prefix| belongs(&version, prefix) == Some(false)) {
        return (
            State::OtherLine,
            format!("{whole} was made from {version}, which is another line"),
        );
    }
    if let Some(own) = line_of_its_own(entry, file, &version) {
        return (State::OtherLine, format!("{whole}, made from {version}, {own}"));
    }
    let (state, how) = judge_range(file, |bound| compare(&version, bound));
    if state == State::Unknown && file.is_in_no_release() {
        let text =
            format!("{whole} was made from {version}, a release, and no release has the fault");
        return (State::OutsideRange, text);
    }
    let made = format!("{whole}, made from {version}, {how}");
    if state != State::Affected {
        return (state, made);
    }
    let references = entry.backports.as_ref().map_or(&[][..], |backports| &backports.references);
    let found = changelogs.of(package).map(|changelog| changelog.names(package, references));
    let told = match found {
        Some(Ok(Some(named))) => {
            return (State::Fixed, format!("{made}; but its changelog has it: {named}"));
        }
        Some(Ok(None)) if references.is_empty() => {
            "Its changelog was read, but the source gives nothing to look for in it.".to_owned()
        }
        Some(Ok(None)) => format!(
            "Its changelog names none of {}, which proves nothing: not every backport is named.",
            references.join(", ")
        ),
        Some(Err(why)) => format!("Its changelog does not tell: {why}."),
        None => String::new(),
    };
    let advice = entry.backports.as_ref().map_or_else(
        || {
            "A distribution's package may carry the fix under an older number; look for it in \
             the package's changelog and patches."
                .to_owned()
        },
        |backports| format!("{} Check: {}", backports.says, backports.check.join("; or: ")),
    );
    let told = if told.is_empty() { advice } else { format!("{told} {advice}") };
    (State::Unknown, format!("{made}. {told}"))
}

/// The release that a package was made from.
fn upstream(package: &Package) -> Option<String> {
    let debian = || DebianVersion::parse(&package.version).map(|v| v.upstream().to_owned());
    match package.manager {
        PackageManager::Rpm => RpmVersion::parse(&package.version).map(|v| v.upstream().to_owned()),
        PackageManager::Dpkg | PackageManager::Note => debian(),
    }
}
