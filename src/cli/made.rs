//! The command that made a report, as a shell takes it, so that it can be given again.

use std::ffi::OsString;
use std::path::Path;

use unfreed::report::html::Made;

/// The version, the command as it was given, and the one that writes a case bundle instead of this report.
pub fn made(output: &Path) -> Made {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument: OsString| lossy(&argument)).collect();
    let case = output.with_extension("zip");
    let (output, case) = (lossy(output.as_os_str()), lossy(case.as_os_str()));
    let instead = arguments.iter().map(|argument| match argument.strip_suffix(output.as_str()) {
        Some(option @ ("" | "-o" | "-o=" | "--output=" | "--report=")) => format!("{option}{case}"),
        _ => argument.clone(),
    });
    Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        case: Some(command(instead)),
        command: command(arguments.iter().cloned()),
    }
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

fn command(arguments: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = arguments.map(|argument| quoted(&argument)).collect();
    format!("unfreed {}", quoted.join(" "))
}

/// As a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}
