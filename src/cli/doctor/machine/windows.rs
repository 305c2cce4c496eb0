//! What a machine with Windows is.

use std::ffi::OsString;
use std::path::Path;

use unfreed::collect::etw::host::Host;
use unfreed::collect::etw::{ffi, undo};

use super::locate::locate;
use super::{Machine, Program, Sessions, variable};

impl Machine {
    /// Reads this machine, and looks at a program.
    pub fn read(command: Option<&OsString>) -> Self {
        let Host { version, build, product, is_wine, .. } = Host::read();
        let sessions = Sessions {
            product,
            version,
            build,
            is_wine,
            is_elevated: ffi::is_elevated(),
            left: undo::left(&undo::directory()),
        };
        Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            debuginfod: variable("DEBUGINFOD_URLS"),
            symbol_path: variable("_NT_SYMBOL_PATH"),
            sessions: Some(sessions),
            // Any program can be traced where sessions can be had.
            program: command.map(|command| Program {
                asked: command.to_string_lossy().into_owned(),
                path: locate(Path::new(command)),
                obstacle: None,
            }),
            ..Machine::default()
        }
    }
}
