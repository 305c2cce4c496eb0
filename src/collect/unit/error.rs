//! What can go wrong with tracing a service. Every message says what happened; `advice` says what
//! to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a service could not be traced.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what it is")]
pub enum UnitError {
    #[error("{0:?} is no name of a service")]
    Name(String),
    #[error("systemctl could not be run: {0}")]
    NoSystemctl(io::Error),
    #[error("this machine was not started by systemd (there is no /run/systemd/system)")]
    NotBooted,
    #[error("only root may trace a service")]
    NotRoot,
    #[error("systemctl {what} failed: {said}")]
    Failed { what: String, said: String },
    #[error("{unit} is being traced already, by the unfreed with pid {pid}")]
    Busy { unit: String, pid: u32 },
    #[error("{what} {path}: {cause}", path = path.display())]
    File { what: &'static str, path: PathBuf, cause: io::Error },
}

impl UnitError {
    /// What to do about it.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            UnitError::Name(_) => {
                "name a service as `systemctl status` does: nginx or nginx.service".into()
            }
            UnitError::NoSystemctl(_) | UnitError::NotBooted => {
                "start the program itself under unfreed: `unfreed run -- CMD`; \
                 `--unit NAME --print` shows the drop-in for a machine with systemd"
                    .into()
            }
            UnitError::NotRoot => "run it as root, with sudo say; `--print` needs no root".into(),
            UnitError::Failed { .. } => return None,
            UnitError::Busy { pid, .. } => {
                format!("wait for it, or end it with `kill -INT {pid}`, which gives its report")
            }
            UnitError::File { .. } => return None,
        })
    }

    pub(super) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> UnitError {
        let path = path.into();
        move |cause| UnitError::File { what, path, cause }
    }
}
