//! Packages of npm that tests need: scripts of ours that use them, and where they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs a directory of tests with its packages, unless they are there from an earlier run. An error says why it
/// cannot be.
pub fn install(directory: &str, scripts: &[&str]) -> Result<PathBuf, String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
    fs::create_dir_all(&place).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    for file in scripts.iter().chain(&["package.json", "package-lock.json"]) {
        fs::copy(from.join(file), place.join(file)).unwrap();
    }
    // What is installed, said when all of it is.
    let (wanted, installed) = (place.join("package-lock.json"), place.join("installed.json"));
    let wanted = fs::read(wanted).unwrap();
    if fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(place);
    }
    let _ = fs::remove_file(&installed);
    let ended = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"])
        .args(["--fetch-retries", "5"])
        .current_dir(&place)
        .output();
    match ended {
        Ok(output) if output.status.success() => {
            fs::write(installed, wanted).unwrap();
            Ok(place)
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("npm: {error}")),
    }
}
