//! The command that made a report, as a shell takes it, so that it can be given again.

use std::ffi::OsString;
use std::path::Path;

use unfreed::report::html::Made;

/// The version, the command as it was given, and the one that writes a case bundle instead of this report, where the command
/// names the report.
pub fn made(output: &Path) -> Made {
    let arguments = given();
    let case = output.with_extension("zip");
    let (output, case) = (lossy(output.as_os_str()), lossy(case.as_os_str()));
    let mut instead = arguments.clone();
    for argument in &mut instead {
        if let Some(option @ ("" | "-o" | "-o=" | "--output=" | "--report=")) =
            argument.strip_suffix(output.as_str())
        {
            *argument = format!("{option}{case}");
        }
    }
    let case = (instead != arguments).then_some(instead);
    told(&arguments, case.as_deref())
}

/// The same of a report that the command does not name: `case` writes a case bundle of what it is about.
pub fn made_with(case: &[String]) -> Made {
    let arguments = given();
    told(&arguments, Some(case))
}

fn told(arguments: &[String], case: Option<&[String]>) -> Made {
    Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command(arguments),
        case: case.map(command),
    }
}

fn given() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument: OsString| lossy(&argument)).collect()
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

fn command(arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
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
