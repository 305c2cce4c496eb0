//! Settings that a fix needs: whether what was read on the target switches it on. A value that
//! was looked for and is absent is a fact; a value that nobody read is not.

use crate::event::{Fact, FactKind};
use crate::fixes::entry::Setting;
use crate::fixes::matched::{Reason, Standing};

/// Judges every setting: yes where it switches the fix on, no where it leaves it off.
pub(super) fn judge(settings: &[Setting], facts: &[Fact]) -> Vec<Reason> {
    settings.iter().map(|setting| judge_one(setting, facts)).collect()
}

fn judge_one(setting: &Setting, facts: &[Fact]) -> Reason {
    let path = canonical(&setting.name);
    let same = |fact: &&Fact| fact.kind == FactKind::Setting && canonical(&fact.subject) == path;
    let (name, on) = (&setting.name, &setting.on);
    let (standing, text) = match facts.iter().rfind(same).map(|fact| &fact.value) {
        None => {
            let text = format!("{name} was not read; it must be {on}. Read it: {}", setting.read);
            (Standing::Unknown, text)
        }
        Some(None) if setting.absent_is_off => {
            (Standing::No, format!("{name} is absent; it must be {on}"))
        }
        Some(None) => (
            Standing::Unknown,
            format!("{name} is absent; the source does not say what that means"),
        ),
        Some(Some(value)) if same_value(value, on) => (Standing::Yes, format!("{name} is {value}")),
        Some(Some(value)) if setting.off.iter().any(|off| same_value(value, off)) => {
            (Standing::No, format!("{name} is {value}; it must be {on}"))
        }
        Some(Some(value)) => {
            let text = format!(
                "{name} is `{value}`; the source does not say what that means, it must be {on}"
            );
            (Standing::Unknown, text)
        }
    };
    Reason { clause: "setting".to_owned(), standing, text }
}

/// A registry path in one spelling; any other setting's name in lower case.
pub(super) fn canonical(name: &str) -> String {
    let name = name.trim().replace('/', "\\").to_ascii_lowercase();
    let hives = [("hklm", "hkey_local_machine"), ("hkcu", "hkey_current_user")];
    let hive = name.split_once('\\').and_then(|(hive, rest)| {
        let hive = hive.trim_end_matches(':');
        let (_, long) = hives.iter().find(|(short, _)| *short == hive)?;
        Some(format!("{long}\\{rest}"))
    });
    hive.unwrap_or(name)
}

/// Numbers are the same in every spelling of a DWORD (`1`, `0x1`, `0x00000001 (1)`, `dword:00000001`);
/// anything else compares without case.
pub(super) fn same_value(a: &str, b: &str) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.trim().eq_ignore_ascii_case(b.trim()),
        _ => false,
    }
}

fn number(value: &str) -> Option<u64> {
    let value = value.trim().to_ascii_lowercase();
    let value = value.split_once(" (").map_or(value.as_str(), |(value, _)| value);
    let value = value.strip_prefix("reg_dword").unwrap_or(value).trim();
    match value.strip_prefix("0x").or_else(|| value.strip_prefix("dword:")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, same_value};

    #[test]
    fn a_dword_is_the_same_in_every_spelling() {
        for one in
            ["1", "0x1", "0x00000001", "0x00000001 (1)", "dword:00000001", " 1 ", "REG_DWORD 0x1"]
        {
            assert!(same_value(one, "1"), "{one}");
            assert!(!same_value(one, "0"), "{one}");
        }
        assert!(!same_value("", "0"));
        assert!(!same_value("yes", "1"));
        assert!(!same_value("11", "1"));
        assert!(same_value("True", "true"));
    }

    #[test]
    fn a_registry_path_is_the_same_in_every_spelling() {
        let path = canonical(r"HKEY_LOCAL_MACHINE\SOFTWARE\A b\C");
        assert_eq!(canonical(r"HKLM\Software\a B\c"), path);
        assert_eq!(canonical("hklm:/software/a b/c"), path);
        assert_ne!(canonical(r"HKEY_CURRENT_USER\SOFTWARE\A b\C"), path);
    }
}
