//! What can go wrong with attaching to processes.

use std::error::Error;
use std::io;

use thiserror::Error as ThisError;

/// Why a process could not be attached to.
#[derive(Debug, ThisError)]
#[allow(missing_docs, reason = "each message says what it is")]
pub enum AttachError {
    #[error("this build of unfreed has no probe that fits it")]
    NoProbe,
    #[error(
        "attaching needs root, or the capabilities CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    )]
    NotAllowed,
    #[error("{0}")]
    Unable(String),
    /// Where the kernel describes its events there is nothing.
    #[error("tracefs is not mounted at /sys/kernel/tracing")]
    NoTracefs,
    /// What this kernel lacks or forbids.
    #[error("{0}")]
    Kernel(String),
    #[error("the probe could not be loaded: {0}")]
    Load(String),
    #[error("no process {0}")]
    NoSuch(String),
    #[error("{0} cannot be traced: {1}")]
    Refused(String, String),
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
    #[error("the events could not be passed on: {0}")]
    Sink(io::Error),
}

impl AttachError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> AttachError {
        move |cause| AttachError::System { what, cause }
    }

    /// With all its causes: the crate that loads says what failed, and only its cause says why.
    pub(super) fn load(error: impl Error) -> AttachError {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(because) = cause {
            text = format!("{text}: {because}");
            cause = because.source();
        }
        AttachError::Load(text)
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<String> {
        match self {
            AttachError::NotAllowed => Some("run it with sudo".to_owned()),
            AttachError::NoTracefs => Some(
                "mount it with `mount -t tracefs tracefs /sys/kernel/tracing`, or start the program by `unfreed run -- CMD`"
                    .to_owned(),
            ),
            AttachError::NoSuch(_) => Some(
                "look with `ps`; with --wait unfreed waits for the next process of that name"
                    .to_owned(),
            ),
            AttachError::Load(_) | AttachError::Kernel(_) => Some(
                "start the program by `unfreed run -- CMD`, which asks nothing of the kernel; docs/attach.md says what \
                 attaching asks of it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
