//! What can go wrong with a session, and what to do about it.

use std::io;

use thiserror::Error;

use super::properties::{KERNEL_LOGGER, Unfit};

/// A session of that name runs.
pub const ALREADY_EXISTS: u32 = 183;

/// A session of this name is not there.
pub const NO_SUCH_SESSION: u32 = 4201;

/// Windows' numbers for what is said here in words.
mod code {
    pub const ACCESS_DENIED: u32 = 5;
    pub const INVALID_PARAMETER: u32 = 87;
    pub const ALREADY_EXISTS: u32 = super::ALREADY_EXISTS;
    pub const NO_SYSTEM_RESOURCES: u32 = 1450;
}

/// Which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// That of heaps.
    Heap,
    /// That of processes and images.
    System,
}

impl Which {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Which::Heap => "the session of heap events",
            Which::System => "the session of processes and images",
        }
    }
}

/// Why something cannot be traced.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what it is")]
pub enum EtwError {
    #[error(
        "this is Windows {major}.{minor}; heaps are traced on Windows 7 and Server 2008 R2 (6.1) or later"
    )]
    TooOld { major: u32, minor: u32 },
    #[error("{} cannot be started (error {code}): {}", which.name(), meaning(*code))]
    Refused { which: Which, code: u32 },
    #[error("{} was started, but nothing can be heard from it (error {code})", which.name())]
    Deaf { which: Which, code: u32 },
    #[error("{} ended by itself (error {code}): somebody stopped it, or Windows did", which.name())]
    Ended { which: Which, code: u32 },
    #[error("the session ran for {seconds} s and delivered nothing at all, so nothing was seen")]
    Silent { seconds: u64 },
    #[error(
        "no heap event of the process came in {seconds} s, though others did, so nothing was seen of its heaps"
    )]
    NoHeaps { seconds: u64 },
    #[error("there is no process {0}")]
    NoSuch(String),
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("cannot run {program}: {cause}")]
    NotStarted { program: String, cause: io::Error },
    #[error("the heap tracing flag of {program} cannot be set in the registry: {cause}")]
    Flag { program: String, cause: io::Error },
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
    #[error("the events could not be passed on: {0}")]
    Sink(io::Error),
}

fn meaning(code: u32) -> &'static str {
    match code {
        code::ACCESS_DENIED => "access is denied",
        code::INVALID_PARAMETER => "this Windows does not take its parameters",
        code::ALREADY_EXISTS => "a session of this name runs already",
        code::NO_SYSTEM_RESOURCES => "the table of sessions is full, or memory is short",
        _ => "Windows says no more",
    }
}

impl EtwError {
    /// What to do about it.
    pub fn advice(&self) -> Option<String> {
        let advice = match self {
            EtwError::TooOld { .. } => {
                "capture with UMDH there, and give its logs to `unfreed analyze` (docs/windows.md)".to_owned()
            }
            EtwError::Refused { code: code::ACCESS_DENIED, .. } | EtwError::Flag { .. } => {
                "run it as an administrator: open the console with \"Run as administrator\"".to_owned()
            }
            EtwError::Refused { code: code::NO_SYSTEM_RESOURCES, .. } => {
                "list the sessions with `logman query -ets`, end one that nobody needs with `logman stop NAME -ets`, \
                 and try again"
                    .to_owned()
            }
            EtwError::Refused { which: Which::System, code: code::ALREADY_EXISTS } => format!(
                "before Windows 8 there is one such session, \"{KERNEL_LOGGER}\", and somebody uses it: end that \
                 (`xperf -stop`, or `logman stop \"{KERNEL_LOGGER}\" -ets`) and try again"
            ),
            EtwError::Refused { code: code::ALREADY_EXISTS, .. } => {
                "end what an earlier run left with `unfreed doctor --repair`, and try again".to_owned()
            }
            EtwError::Refused { .. } | EtwError::Deaf { .. } | EtwError::Silent { .. } => {
                "event tracing does not work here (under Wine it never does): capture with xperf or wpr, or with UMDH, \
                 and give what they write to `unfreed analyze` (docs/windows.md)"
                    .to_owned()
            }
            EtwError::NoHeaps { .. } => {
                "a process that was idle says nothing: put load on it, or watch it for longer; if it was busy, start it \
                 with `unfreed run`, or wait for its start with `unfreed attach --wait NAME.exe`"
                    .to_owned()
            }
            EtwError::NoSuch(_) => {
                "`tasklist` lists processes; one that is still to come is waited for with `--wait NAME.exe`".to_owned()
            }
            EtwError::Unfit(Unfit::Pids(_)) => "name fewer processes, by number".to_owned(),
            EtwError::Ended { .. }
            | EtwError::Unfit(_)
            | EtwError::NotStarted { .. }
            | EtwError::System { .. }
            | EtwError::Sink(_) => return None,
        };
        Some(advice)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn said(error: &EtwError) -> String {
        format!("{error}; {}", error.advice().unwrap_or_default())
    }

    #[test]
    fn each_refusal_says_what_it_is_and_what_to_do() {
        for (code, which, words) in [
            (5, Which::Heap, &["access is denied", "administrator"][..]),
            (1450, Which::System, &["table of sessions is full", "logman query -ets"]),
            (183, Which::System, &["runs already", "NT Kernel Logger"]),
            (183, Which::Heap, &["runs already", "doctor --repair"]),
            (87, Which::Heap, &["does not take its parameters", "xperf"]),
        ] {
            let said = said(&EtwError::Refused { which, code });
            for word in words {
                assert!(said.contains(word), "{said}");
            }
        }
        let old = said(&EtwError::TooOld { major: 5, minor: 2 });
        assert!(old.contains("5.2") && old.contains("UMDH"), "{old}");
        let deaf = said(&EtwError::Deaf { which: Which::Heap, code: 5 });
        assert!(deaf.contains("nothing can be heard") && deaf.contains("Wine"), "{deaf}");
    }
}
