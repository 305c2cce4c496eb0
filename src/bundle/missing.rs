//! What a vendor's support will ask for and a recording does not have, with the command that obtains it.

use serde::{Deserialize, Serialize};

use crate::event::FactKind;
use crate::ledger::Ledger;
use crate::report::model::{Report, SeenFrom};

/// Growth samples that vendors want at least.
const SAMPLES: usize = 3;

/// Something missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// What obtains it.
    pub command: String,
}

/// A program's name in a command that people will copy: what a shell might take for more than a name is left to them to fill in.
fn typed(name: &str) -> &str {
    let plain = |c: char| c.is_alphanumeric() || "._-+".contains(c);
    let is_name = !name.is_empty() && !name.starts_with('-') && name.chars().all(plain);
    if is_name { name } else { "NAME" }
}

/// Everything missing.
pub fn missing(report: &Report, ledger: &Ledger) -> Vec<Missing> {
    let windows = ledger.modules().iter().any(|(_, module)| {
        let file = module.name.to_ascii_lowercase();
        let file = file.ends_with(".dll") || file.ends_with(".exe");
        file || module.pe.is_some() || module.pdb.is_some() || module.path.contains('\\')
    });
    let mut all = Vec::new();
    let mut add = |what: String, command: String| all.push(Missing { what, command });
    for (at, target) in report.target.iter().enumerate() {
        if !report.suspects.iter().any(|suspect| suspect.target == at) {
            continue;
        }
        let (name, pid) = (&target.name, target.pid);
        // Some evidence has no number for a process.
        let process = match pid {
            0 => name.clone(),
            pid => format!("{name} (process {pid})"),
        };
        let typed = typed(name);
        let image = ledger.images().get(at);
        let measured = image.and_then(|image| image.metrics().map(|(_, all)| all.len()).max());
        let samples = measured.unwrap_or(0).max(report.source.snapshots as usize);
        if samples < SAMPLES {
            let command = match windows {
                true => format!(
                    "typeperf \"\\Process({})\\Private Bytes\" -si 60 -sc 60 -o counters.csv",
                    typed.trim_end_matches(".exe")
                ),
                false => {
                    let number = if pid == 0 { "PID".to_owned() } else { pid.to_string() };
                    format!("for n in 1 2 3; do grep VmRSS /proc/{number}/status; sleep 600; done")
                }
            };
            add(
                format!("{process}: {samples} growth samples of its memory, fewer than {SAMPLES}"),
                command,
            );
        }
        if target.seen_from == SeenFrom::Running {
            let command = match windows {
                true => format!("gflags /i {typed} +ust, restart it, then record"),
                false => format!("unfreed record -o again.unfreed -- {typed}"),
            };
            add(
                format!("{process}: tracing started late, its older blocks are not known"),
                command,
            );
        }
    }
    let mut unnamed: Vec<&str> = report
        .suspects
        .iter()
        .flat_map(|suspect| &suspect.stack)
        .filter(|frame| frame.function.is_none())
        .filter_map(|frame| frame.module.as_deref())
        .collect();
    unnamed.sort_unstable();
    unnamed.dedup();
    for module in unnamed {
        let (what, command) = match windows {
            true => (
                "no matching PDB was found: its functions have no names",
                "unfreed report FILE -o case.zip --symbols srv*CACHE*https://msdl.microsoft.com/download/symbols",
            ),
            false => (
                "no symbols were found: its functions have no names",
                "install its debug symbols, then: unfreed report FILE -o case.zip --symbols DIR",
            ),
        };
        add(format!("{module}: {what}"), command.to_owned());
    }
    for fact in ledger.facts().filter(|fact| fact.kind == FactKind::Setting) {
        let subject = fact.subject.to_ascii_lowercase();
        let left =
            subject.contains("image file execution options") && subject.contains("globalflag");
        if left
            && fact
                .value
                .as_deref()
                .is_some_and(|value| !value.trim_start_matches("0x").trim_matches('0').is_empty())
        {
            let program = typed(fact.subject.rsplit('\\').nth(1).unwrap_or_default());
            add(
                format!("{program}: gflags are still on ({})", fact.subject),
                format!("gflags /i {program} -ust"),
            );
        }
    }
    all
}
