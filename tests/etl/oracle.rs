//! The table of counts, compared with readers of others: `tests/etl/oracle.py`, in a Python environment of its own.

use std::path::Path;
use std::process::Command;

use super::fixtures::{TOLD, directory};
use crate::support;

/// The version of the oracle.
const ORACLE: &str = "dissect.etl==3.14";

/// An environment with the oracle in it, or why there is none.
fn environment(place: &Path) -> Result<(), String> {
    let python = place.join("bin/python");
    for (program, args) in [
        (Path::new("python3"), &["-m", "venv", place.to_str().unwrap()][..]),
        (&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ORACLE]),
    ] {
        let output =
            Command::new(program).args(args).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(())
}

/// What the script says, run by a Python.
fn told(python: &Path) -> Result<String, String> {
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/etl/oracle.py"))
        .args(TOLD.map(|(name, ..)| directory().join(name)))
        .output()
        .map_err(|error| error.to_string())?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// Checks that the table is what each of these counted.
fn compare(told: &str, who: &[&str]) {
    for (name, buffers, kinds) in TOLD {
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind}:{count}")).collect();
        for who in who {
            let line = format!("{name} {who} {buffers} {}", kinds.join(" "));
            assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
        }
    }
}

#[test]
fn the_counts_are_those_of_a_count_by_hand() {
    if !directory().exists() {
        support::skip!("{} is not there", directory().display());
    }
    match told(Path::new("python3")) {
        Ok(told) => compare(&told, &["hand"]),
        Err(why) => support::skip!("python3 does not run: {why}"),
    }
}

#[test]
fn the_counts_are_those_of_an_independent_reader() {
    if !directory().exists() {
        support::skip!("{} is not there", directory().display());
    }
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = environment(place.path()) {
        support::skip!("{ORACLE} cannot be installed: {why}");
    }
    compare(&told(&place.path().join("bin/python")).unwrap(), &["dissect", "hand"]);
}
