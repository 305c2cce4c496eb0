//! What the packages of a recording say of themselves: their changelogs, as given with `--changelog` or as installed
//! here. Only those are read that a fix could be judged by. A changelog of another version is told apart by the matcher.

use std::path::{Path, PathBuf};

use unfreed::fixes::changelog::{Changelog, Changelogs};
use unfreed::fixes::{Catalogue, is_judged};
use unfreed::ledger::Ledger;
use unfreed::names::{changelog, read_changelog};

use super::fail::Failure;

/// The changelogs that the user gives, by package.
pub fn given(files: &[PathBuf]) -> Result<Changelogs, Failure> {
    let advice =
        "give a changelog of Debian or RPM, also packed with gzip: --changelog PACKAGE=FILE";
    let mut all = Changelogs::default();
    for argument in files {
        let (name, path) = named(argument);
        let refuse = |what: &str| Failure::new(format!("{} {what}", path.display())).advise(advice);
        let text = read_changelog(&path).ok_or_else(|| refuse("cannot be read as a changelog"))?;
        let found = Changelog::parse(&text).ok_or_else(|| refuse("is no package's changelog"))?;
        let name = name
            .or_else(|| found.source().map(str::to_owned))
            .ok_or_else(|| refuse("does not say which package it is of"))?;
        all.insert(&name, found);
    }
    Ok(all)
}

/// Adds those that are installed here, of packages that own what a fix of the catalogue is about; whether there were any.
pub fn add_installed(all: &mut Changelogs, ledger: &Ledger, catalogue: &Catalogue) -> bool {
    let mut added = false;
    for (_, identity) in ledger.modules().iter() {
        let Some(package) = &identity.package else { continue };
        if all.of(package).is_some() || !is_judged(catalogue, identity) {
            continue;
        }
        let text = changelog(Path::new("/"), package);
        if let Some(found) = text.as_deref().and_then(Changelog::parse) {
            all.insert(&package.name, found);
            added = true;
        }
    }
    added
}

/// `PACKAGE=FILE`, or a file that says itself which package it is of.
fn named(argument: &Path) -> (Option<String>, PathBuf) {
    let text = argument.to_string_lossy();
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !name.contains('/') => {
            (Some(name.to_owned()), PathBuf::from(path))
        }
        _ => (None, argument.to_owned()),
    }
}
