//! Watching a program: what `run`, `attach`, `record`, `top`, `mark` and `demo` have in common. How it is done differs from
//! system to system; each offers the same names, and nothing else of the command line knows which one it runs on.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(any(target_os = "linux", windows)))]
mod nowhere;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub use linux::{Control, Watch, mark, survive_hangup, triage};
#[cfg(not(any(target_os = "linux", windows)))]
pub use nowhere::{Control, Watch, mark, survive_hangup, triage};
#[cfg(windows)]
pub use windows::{Control, Watch, mark, survive_hangup, triage};

/// Running processes that are to be attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// By number or by name, as the user gave them.
    pub who: Vec<String>,
    /// All of these systemd services.
    pub units: Vec<String>,
    /// All in these control groups and below.
    pub groups: Vec<String>,
    /// Whether to wait for those that come later.
    pub wait: bool,
    /// On average one of every so many bytes that they allocate is told of; 0: every allocation.
    pub sample: u64,
}

impl Whom {
    /// Those of these numbers and names that run now.
    pub fn of(who: &[String]) -> Whom {
        Whom { who: who.to_vec(), ..Whom::default() }
    }
}
