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

#[test]
fn the_counts_are_those_of_an_independent_reader() {
    if !directory().exists() {
        support::skip!("{} is not there", directory().display());
    }
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = environment(place.path()) {
        support::skip!("{ORACLE} cannot be installed: {why}");
    }
    let output = Command::new(place.path().join("bin/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/etl/oracle.py"))
        .args(TOLD.map(|(name, ..)| directory().join(name)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    for (name, buffers, kinds) in TOLD {
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind}:{count}")).collect();
        let expected = format!("{buffers} {}", kinds.join(" "));
        let lines: Vec<_> = told.lines().filter_map(|line| line.strip_prefix(name)).collect();
        let compressed = matches!(name, "net.4.5.2.x64.etl" | "smallEtlFile.etl");
        assert_eq!(lines.len(), if compressed { 1 } else { 2 }, "{name}: {lines:?}");
        for line in lines {
            let (who, counted) = line.trim_start().split_once(' ').unwrap();
            assert_eq!(counted, expected, "{name}, counted by {who}");
        }
    }
}
