//! What a service's settings mean for tracing it: what stands against it, what the administrator
//! should know before, and the drop-in. A pure function of what systemd says and of a few numbers.

use crate::collect::agent::MostMemory;
use std::path::{Path, PathBuf};

use super::calls::forbidden;
use super::dropin::DropIn;
use super::place::{BASES, Place};
use super::properties::{Properties, UnitName};

/// What stands against tracing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// What is to be known before a service is traced.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Nothing may be done while there is one.
    pub refusals: Vec<Refusal>,
    /// What the administrator should know, in whole sentences.
    pub notes: Vec<String>,
    /// The drop-in that would be put in place.
    pub drop_in: DropIn,
}

/// What is known beside the settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// What a trace may take.
    pub memory: MostMemory,
    /// The most address space that the running service had, and what it has locked: bytes.
    pub peak_and_locked: Option<(u64, u64)>,
}

impl Numbers {
    /// What there is now: of this build, and of a running process.
    pub fn now(main_pid: Option<u64>) -> Numbers {
        let status = main_pid.filter(|pid| *pid != 0).and_then(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let bytes = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
            };
            Some((bytes("VmPeak")?, bytes("VmLck")?))
        });
        Numbers { memory: MostMemory::of_session(), peak_and_locked: status }
    }
}

/// Judges. `preloads_in` says which of the unit's environment files set what the drop-in sets:
/// they would win.
pub fn judge(
    unit: &UnitName,
    properties: &Properties,
    numbers: Numbers,
    preloads_in: &[PathBuf],
) -> Judgement {
    let mut refusals = Vec::new();
    let mut refuse = |what: String, advice: String| refusals.push(Refusal { what, advice });
    let name = unit.as_str();
    let own_drop_in = |line: &str| {
        format!(
            "allow it while you trace: `systemctl edit --runtime {name}` with `{line}` under `[Service]`"
        )
    };

    for word in ["LD_PRELOAD", unfreed_wire::SESSION_VARIABLE] {
        if properties
            .words("UnsetEnvironment")
            .iter()
            .any(|unset| unset.split('=').next() == Some(word))
        {
            refuse(
                format!("UnsetEnvironment={word} takes away what the drop-in sets"),
                own_drop_in("UnsetEnvironment="),
            );
        }
    }
    for file in preloads_in {
        refuse(
            format!("{} sets LD_PRELOAD, and wins over the drop-in", file.display()),
            "move it to an `Environment=` line of the unit: the drop-in adds to that".into(),
        );
    }
    let calls = forbidden(properties);
    if !calls.is_empty() {
        let calls = calls.join(" ");
        refuse(
            format!("SystemCallFilter= forbids what the agent calls as it starts: {calls}"),
            own_drop_in(&format!("SystemCallFilter={calls}")),
        );
    }
    for setting in ["RootDirectory", "RootImage"] {
        if !properties.text(setting).is_empty() {
            refuse(
                format!(
                    "{setting}= gives it other libraries than this machine's, and stacks would get wrong names"
                ),
                format!("unset {setting}= while you trace, or run unfreed inside of that root"),
            );
        }
    }
    if properties.yes("PrivatePIDs") {
        refuse(
            "PrivatePIDs=yes gives its processes numbers that mean nothing outside".into(),
            own_drop_in("PrivatePIDs=no"),
        );
    }
    for (program, outside) in properties.programs() {
        if outside {
            refuse(
                format!(
                    "{} is started with `+`, outside of the service's sandbox, where the session is not",
                    program.display()
                ),
                "start it without the `+` while you trace".into(),
            );
        }
        if let Some((path, obstacle)) = crate::collect::agent::obstacle(&program) {
            refuse(
                format!("{} cannot be traced by preloading: {obstacle}", path.display()),
                obstacle.advice().into(),
            );
        }
    }
    let hidden = properties.words("InaccessiblePaths");
    let open = BASES.into_iter().find(|base| !hidden.iter().any(|path| covers(path, base)));
    if open.is_none() {
        refuse(
            format!("InaccessiblePaths= hides {}", BASES.join(" and ")),
            "leave one of them to the service while you trace".into(),
        );
    }

    let mut notes = Vec::new();
    judge_memory(properties, numbers, &own_drop_in, &mut refuse, &mut notes);
    say(properties, &mut notes);
    let drop_in = DropIn {
        unit: unit.clone(),
        directory: Place::path(open.unwrap_or(BASES[0]), unit),
        session_bytes: numbers.memory.file,
        preloads: properties.variable("LD_PRELOAD"),
        executes_certain_paths: !properties.text("NoExecPaths").is_empty(),
    };
    Judgement { refusals, notes, drop_in }
}

/// Whether hiding `path` hides `place`.
fn covers(path: &str, place: &str) -> bool {
    let path = path.trim_start_matches(['-', '+']);
    Path::new(place).starts_with(path)
}

fn judge_memory(
    properties: &Properties,
    numbers: Numbers,
    own_drop_in: &dyn Fn(&str) -> String,
    refuse: &mut dyn FnMut(String, String),
    notes: &mut Vec<String>,
) {
    let MostMemory { whole, thread: ring, .. } = numbers.memory;
    let now = properties.number("MemoryCurrent");
    let used = now.map_or(String::new(), |now| format!(", it uses {} now", mib(now)));
    notes.push(format!(
        "The pages of the trace are charged to the service: up to {} for each thread that allocates, \
         {} in all at most.",
        mib(ring),
        mib(whole)
    ));
    for setting in ["MemoryMax", "MemoryHigh"] {
        let Some(limit) = properties.number(setting) else { continue };
        // Every task has a ring; what is not known is one.
        let likely = ring * properties.number("TasksCurrent").unwrap_or(1).max(1);
        let most = now.unwrap_or(0).saturating_add(likely.min(whole));
        if most > limit {
            refuse(
                format!(
                    "{setting}= is {}{used}, and its threads need {} for the trace",
                    mib(limit),
                    mib(likely.min(whole))
                ),
                own_drop_in(&format!("{setting}={}M", (most.saturating_add(whole)) >> 20)),
            );
        } else if now.unwrap_or(0).saturating_add(whole) > limit {
            notes.push(format!(
                "{setting}= is {}{used}: with many threads the trace may reach it.",
                mib(limit)
            ));
        }
    }
    for setting in ["LimitAS", "LimitASSoft"] {
        let Some(limit) = properties.number(setting) else { continue };
        let (peak, _) = numbers.peak_and_locked.unwrap_or((64 << 20, 0));
        let need = peak.saturating_add(whole).saturating_add(8 << 20);
        if need > limit {
            refuse(
                format!("{setting}= is {}, and with the trace it maps {}", mib(limit), mib(need)),
                own_drop_in(&format!("LimitAS={}M", (need >> 20) + 64)),
            );
            break;
        }
    }
    if numbers.peak_and_locked.is_some_and(|(_, locked)| locked > 0) {
        notes.push(format!(
            "It locks memory: with `mlockall` it holds all {} of the trace, and LimitMEMLOCK= must have room for that.",
            mib(whole)
        ));
    }
}

/// What else the administrator should know.
fn say(properties: &Properties, notes: &mut Vec<String>) {
    let sandboxed = ["PrivateTmp", "PrivateMounts", "DynamicUser", "PrivateDevices"]
        .into_iter()
        .any(|setting| properties.yes(setting))
        || !matches!(properties.text("ProtectSystem"), "" | "no")
        || !matches!(properties.text("ProtectHome"), "" | "no");
    if !sandboxed {
        notes.push(
            "While it is traced it runs in a mount namespace of its own, as with PrivateMounts=yes: \
             what it mounts is not seen outside."
                .into(),
        );
    }
    let more = ["ExecStartPre", "ExecStartPost", "ExecCondition", "ExecStop", "ExecStopPost"];
    let more: Vec<_> = more.into_iter().filter(|name| !properties.text(name).is_empty()).collect();
    if !more.is_empty() {
        notes.push(format!("What {}= starts is traced too.", more.join("=, ")));
    }
    for setting in ["AppArmorProfile", "SELinuxContext"] {
        if !properties.text(setting).is_empty() {
            notes.push(format!(
                "{setting}= must let it read and map the directory of the agent; if it does not, the \
                 service starts untraced and unfreed says so."
            ));
        }
    }
    if properties.yes("NeedDaemonReload") {
        notes.push(
            "Unit files were changed since systemd last read them: `daemon-reload` takes these changes in, too.".into(),
        );
    }
    if !matches!(properties.text("ActiveState"), "" | "active" | "activating" | "reloading") {
        notes.push("It does not run now: it is started, and left running.".into());
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const MEMORY: MostMemory = MostMemory { file: 200 << 20, whole: 200 << 20, thread: 4 << 20 };
    const NUMBERS: Numbers = Numbers { memory: MEMORY, peak_and_locked: None };

    fn of(shown: &str, numbers: Numbers) -> Judgement {
        judge(&UnitName::new("mail").unwrap(), &Properties::parse(shown), numbers, &[])
    }

    #[track_caller]
    fn refused(shown: &str, by: &str) -> Refusal {
        let judgement = of(shown, NUMBERS);
        let [refusal] = judgement.refusals.as_slice() else { panic!("{judgement:#?}") };
        assert!(refusal.what.contains(by), "{refusal:?}");
        assert!(!refusal.advice.is_empty());
        refusal.clone()
    }

    #[test]
    fn an_ordinary_sandbox_is_no_obstacle() {
        let judgement = of(
            "DynamicUser=yes\nPrivateTmp=yes\nProtectSystem=strict\nMemoryDenyWriteExecute=yes\n\
             RestrictNamespaces=yes\nNoNewPrivileges=yes\nInaccessiblePaths=-/home /boot\nMemoryMax=infinity\n",
            NUMBERS,
        );
        assert_eq!(judgement.refusals, []);
        assert_eq!(judgement.drop_in.directory, Path::new("/run/unfreed/mail.service"));
        assert!(!judgement.drop_in.executes_certain_paths);
    }

    #[test]
    fn what_would_take_the_agent_away_is_refused() {
        refused("UnsetEnvironment=HOME LD_PRELOAD\n", "UnsetEnvironment=LD_PRELOAD");
        refused("SystemCallFilter=~membarrier mount\n", "membarrier");
        refused("RootDirectory=/srv/root\n", "RootDirectory");
        refused("PrivatePIDs=yes\n", "PrivatePIDs");
        refused("ExecStartEx={ path=/x ; argv[]=/x ; flags=privileged ; pid=0 }\n", "`+`");
        refused("InaccessiblePaths=/run -/var\n", "InaccessiblePaths");
        let file = [PathBuf::from("/etc/default/mail")];
        let unit = UnitName::new("mail").unwrap();
        let judgement = judge(&unit, &Properties::default(), NUMBERS, &file);
        assert!(judgement.refusals[0].what.contains("/etc/default/mail"));
    }

    #[test]
    fn a_hidden_run_moves_the_place() {
        let judgement = of("InaccessiblePaths=-/run\nNoExecPaths=/\n", NUMBERS);
        assert_eq!(judgement.drop_in.directory, Path::new("/var/lib/unfreed/mail.service"));
        assert!(judgement.drop_in.executes_certain_paths);
    }

    #[test]
    fn a_limit_that_the_trace_would_break_is_refused() {
        let limit =
            |bytes: u64| format!("MemoryMax={bytes}\nMemoryCurrent={}\nTasksCurrent=2\n", 50 << 20);
        refused(
            &limit(57 << 20),
            "MemoryMax= is 57 MiB, it uses 50 MiB now, and its threads need 8 MiB",
        );
        assert_eq!(of(&limit(58 << 20), NUMBERS).refusals, []);
        assert!(
            of(&limit(58 << 20), NUMBERS).notes.iter().any(|note| note.contains("may reach it"))
        );
        assert!(
            !of(&limit(251 << 20), NUMBERS).notes.iter().any(|note| note.contains("may reach it"))
        );
        refused(&format!("LimitAS={}\n", 100 << 20), "LimitAS");
        let known = Numbers { peak_and_locked: Some((1 << 20, 0)), ..NUMBERS };
        assert_eq!(of(&format!("LimitAS={}\n", 210 << 20), known).refusals, []);
    }
}
