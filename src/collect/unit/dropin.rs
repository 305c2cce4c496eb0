//! The drop-in that lets a service start with the agent: a pure function to text.
//!
//! Every process of the service sees two things that nobody else does: the agent, read-only, and
//! the session, which every uid may write there. Outside of the service's mount namespace the
//! session lies in a directory that only root may enter. So the uid need not be known, which with
//! `DynamicUser=` it is not, and may change. A drop-in that is left behind does no harm: a missing
//! directory is not mounted, and the loader goes on without a missing library.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use unfreed_wire::SESSION_VARIABLE;

use super::place::{SECRET, SESSION};
use super::properties::UnitName;
use crate::collect::agent::AGENT_NAME;

/// The drop-in's file: after all others by name, so that what it adds comes last.
pub const FILE: &str = "zz-unfreed.conf";

/// Marks the drop-ins that unfreed itself wrote, and may therefore remove.
pub(super) const OWNER: &str = "# Written by the unfreed with pid ";

/// Where systemd reads drop-ins that are gone after a restart of the machine.
pub fn directory_of(unit: &UnitName) -> PathBuf {
    Path::new(super::leftover::DROP_INS).join(format!("{}.d", unit.as_str()))
}

/// What the drop-in says.
#[derive(Clone, Debug)]
pub struct DropIn {
    /// The service.
    pub unit: UnitName,
    /// Where the agent and the session are.
    pub directory: PathBuf,
    /// Bytes of the session.
    pub session_bytes: u64,
    /// What the unit itself preloads.
    pub preloads: Option<String>,
    /// Whether the service may execute certain paths only.
    pub executes_certain_paths: bool,
}

impl DropIn {
    /// The text, for an administrator who puts it in place.
    pub fn text(&self) -> String {
        let directory = self.directory.display();
        // First: an allocator that the unit preloads is then what the agent calls.
        let mut preload = format!("{directory}/{AGENT_NAME}");
        if let Some(others) = self.preloads.as_deref().filter(|others| !others.is_empty()) {
            preload.push(':');
            preload.push_str(others);
        }
        let session = format!("{}:{directory}/{SESSION}", self.session_bytes);
        let file = directory_of(&self.unit).join(FILE);
        let mut text = format!(
            "# unfreed traces {unit} while this file is here. To undo it by hand:\n\
             #   rm {file} && systemctl daemon-reload && systemctl restart {unit}\n\
             [Service]\n\
             Environment={}\n\
             Environment={}\n\
             BindReadOnlyPaths=-{directory}\n\
             BindPaths=-{directory}/{SECRET}/{SESSION}:{directory}/{SESSION}\n",
            quoted(&format!("LD_PRELOAD={preload}")),
            quoted(&format!("{SESSION_VARIABLE}={session}")),
            unit = self.unit.as_str(),
            file = file.display(),
        );
        if self.executes_certain_paths {
            let _ = writeln!(text, "ExecPaths=-{directory}");
        }
        text
    }

    /// The text with a note whose it is: that of the process with this pid and start.
    pub(super) fn owned_text(&self, pid: u32) -> String {
        format!("{OWNER}{pid}.\n{}", self.text())
    }
}

/// A word of a unit file, between quotes: `\` and `"` are escaped for the quotes, and `%`, which
/// begins a specifier, is doubled. A `$` means nothing in `Environment=`.
fn quoted(word: &str) -> String {
    let mut text = String::from('"');
    for c in word.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '%' => text.push_str("%%"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn drop_in(preloads: Option<&str>, executes_certain_paths: bool) -> String {
        let unit = UnitName::new("mail").unwrap();
        let directory = PathBuf::from("/run/unfreed/mail.service");
        let preloads = preloads.map(str::to_owned);
        DropIn { unit, directory, session_bytes: 4096, preloads, executes_certain_paths }.text()
    }

    #[test]
    fn the_drop_in_as_it_is_written() {
        assert_eq!(
            drop_in(None, false),
            "# unfreed traces mail.service while this file is here. To undo it by hand:\n\
             #   rm /run/systemd/system/mail.service.d/zz-unfreed.conf && systemctl daemon-reload \
             && systemctl restart mail.service\n\
             [Service]\n\
             Environment=\"LD_PRELOAD=/run/unfreed/mail.service/libunfreed_agent.so\"\n\
             Environment=\"UNFREED_SESSION=4096:/run/unfreed/mail.service/session\"\n\
             BindReadOnlyPaths=-/run/unfreed/mail.service\n\
             BindPaths=-/run/unfreed/mail.service/secret/session:/run/unfreed/mail.service/session\n"
        );
    }

    #[test]
    fn what_the_unit_preloads_comes_after_the_agent() {
        let text = drop_in(Some("/opt/a b/100%/\"x\\y\".so"), true);
        let expected = r#"libunfreed_agent.so:/opt/a b/100%%/\"x\\y\".so""#;
        assert!(text.contains(expected), "{text}");
        assert!(text.ends_with("\nExecPaths=-/run/unfreed/mail.service\n"), "{text}");
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        let text = drop_in(Some("x\nExecStart=/bin/evil"), false);
        assert!(!text.lines().any(|line| line.starts_with("ExecStart")), "{text}");
    }
}
