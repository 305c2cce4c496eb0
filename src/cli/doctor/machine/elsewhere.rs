//! What another machine is: nothing is traced there, so that only what names need is looked for.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::locate::locate;
use super::{Hindrance, Machine, Program, variable};

impl Machine {
    /// Reads this machine, and looks at a program.
    pub fn read(command: Option<&OsString>) -> Self {
        Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            debuginfod: variable("DEBUGINFOD_URLS"),
            symbol_path: variable("_NT_SYMBOL_PATH"),
            program: command.map(|command| program(command)),
            ..Machine::default()
        }
    }
}

fn program(command: &OsStr) -> Program {
    let what = format!("no program can be traced on {}", std::env::consts::OS);
    let advice = Some("Trace on Linux on x86_64; recordings can be analysed here.".to_owned());
    Program {
        asked: command.to_string_lossy().into_owned(),
        path: locate(Path::new(command)),
        obstacle: Some(Hindrance { what, advice }),
    }
}
