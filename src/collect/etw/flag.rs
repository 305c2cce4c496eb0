//! The heap tracing flag of a program (`TracingFlags` of Image File Execution Options): set for as long as processes are awaited
//! by name, and then put back as it was.
//!
//! Windows looks at it as a process starts. What was there before is noted in a file before anything is changed
//! ([`Trail`](super::trail)), so that whatever becomes of us, the next start or `unfreed doctor --repair` puts it back. A key
//! that we made goes again, if nothing else came into it.

use std::io;

use serde::{Deserialize, Serialize};

use super::registry::{Registry, View};

const OPTIONS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options";
const VALUE: &str = "TracingFlags";
/// The flag of heap tracing; others that stand beside it stay.
const HEAPS: u32 = 1;

/// Both registries: which one a process of 32 bits is looked up in differs between versions of Windows.
const VIEWS: [View; 2] = [View::Native, View::Narrow];

/// How a program's options were before they were touched, in one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The program's file name.
    pub program: String,
    /// Which registry.
    pub view: View,
    /// Whether it had options at all.
    pub had_key: bool,
    /// Its flags; `None` where it had none.
    pub flags: Option<u32>,
}

/// A program's file name, as the registry knows it; `None` for what is none.
pub fn program(name: &str) -> Option<String> {
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let fits = !name.is_empty() && !name.contains(['"', '<', '>', '|', '*', '?', ':']);
    let has_end = name.to_ascii_lowercase().ends_with(".exe");
    fits.then(|| if has_end { name.to_owned() } else { format!("{name}.exe") })
}

fn key(program: &str) -> String {
    format!(r"{OPTIONS}\{program}")
}

/// How a program's options are now, in both registries. Both are looked at before either is changed: on some versions of
/// Windows they are one.
///
/// # Errors
/// They may not be read.
pub fn before(registry: &dyn Registry, program: &str) -> io::Result<Vec<Before>> {
    let key = key(program);
    let each = VIEWS.into_iter().map(|view| {
        Ok(Before {
            program: program.to_owned(),
            view,
            had_key: registry.has_key(view, &key)?,
            flags: registry.number(view, &key, VALUE)?,
        })
    });
    each.collect()
}

/// Sets the flag.
///
/// # Errors
/// It may not be written. What was changed by then is to be restored.
pub fn set(registry: &mut dyn Registry, before: &[Before]) -> io::Result<()> {
    for Before { program, view, flags, .. } in before {
        registry.set_number(*view, &key(program), VALUE, flags.unwrap_or_default() | HEAPS)?;
    }
    Ok(())
}

/// Puts everything back as it was. It can be done any number of times.
///
/// # Errors
/// Something may not be written; the rest is put back all the same.
pub fn restore(registry: &mut dyn Registry, before: &[Before]) -> io::Result<()> {
    let mut result = Ok(());
    for one in before {
        let back = restore_one(registry, one);
        result = result.and(back);
    }
    result
}

fn restore_one(registry: &mut dyn Registry, before: &Before) -> io::Result<()> {
    let Before { program, view, had_key, flags } = before;
    let key = key(program);
    match flags {
        Some(flags) => registry.set_number(*view, &key, VALUE, *flags),
        None => {
            registry.remove_value(*view, &key, VALUE)?;
            if *had_key { Ok(()) } else { registry.remove_empty_key(*view, &key) }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use super::*;

    /// A registry in memory. `one` is whether both views are the same.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Made {
        keys: BTreeMap<(View, String), BTreeMap<String, u32>>,
        one: bool,
        refused: Option<View>,
    }

    impl Made {
        fn at(&self, view: View, key: &str) -> (View, String) {
            (if self.one { View::Native } else { view }, key.to_owned())
        }

        fn may(&self, view: View) -> io::Result<()> {
            if self.refused == Some(view) {
                Err(io::ErrorKind::PermissionDenied.into())
            } else {
                Ok(())
            }
        }
    }

    impl Registry for Made {
        fn has_key(&self, view: View, key: &str) -> io::Result<bool> {
            Ok(self.keys.contains_key(&self.at(view, key)))
        }

        fn number(&self, view: View, key: &str, value: &str) -> io::Result<Option<u32>> {
            Ok(self.keys.get(&self.at(view, key)).and_then(|key| key.get(value)).copied())
        }

        fn set_number(&mut self, view: View, key: &str, value: &str, to: u32) -> io::Result<()> {
            self.may(view)?;
            let at = self.at(view, key);
            self.keys.entry(at).or_default().insert(value.to_owned(), to);
            Ok(())
        }

        fn remove_value(&mut self, view: View, key: &str, value: &str) -> io::Result<()> {
            self.may(view)?;
            let at = self.at(view, key);
            self.keys.get_mut(&at).and_then(|key| key.remove(value));
            Ok(())
        }

        fn remove_empty_key(&mut self, view: View, key: &str) -> io::Result<()> {
            let at = self.at(view, key);
            if self.keys.get(&at).is_some_and(BTreeMap::is_empty) {
                self.keys.remove(&at);
            }
            Ok(())
        }
    }

    fn check(before: Made) {
        let mut registry = before.clone();
        let noted = super::before(&registry, "store.exe").unwrap();
        set(&mut registry, &noted).unwrap();
        for view in VIEWS {
            let flags = registry.number(view, &key("store.exe"), VALUE).unwrap().unwrap();
            assert_eq!(flags & HEAPS, HEAPS);
        }
        // As a second process would, from the note.
        let noted: Vec<Before> =
            serde_json::from_str(&serde_json::to_string(&noted).unwrap()).unwrap();
        restore(&mut registry, &noted).unwrap();
        assert_eq!(registry, before);
        restore(&mut registry, &noted).unwrap();
        assert_eq!(registry, before);
    }

    fn with(values: &[(&str, u32)], one: bool) -> Made {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let keys = BTreeMap::from([((View::Native, key("store.exe")), values)]);
        Made { keys, one, refused: None }
    }

    #[test]
    fn everything_is_as_before() {
        for one in [false, true] {
            check(Made { one, ..Made::default() });
            check(with(&[], one));
            check(with(&[("GlobalFlag", 0x1000)], one));
            check(with(&[(VALUE, 0)], one));
            check(with(&[(VALUE, 1)], one));
            check(with(&[(VALUE, 6), ("Debugger", 3)], one));
        }
    }

    #[test]
    fn a_key_that_somebody_filled_meanwhile_stays() {
        let mut registry = Made::default();
        let noted = before(&registry, "store.exe").unwrap();
        set(&mut registry, &noted).unwrap();
        registry.set_number(View::Native, &key("store.exe"), "GlobalFlag", 2).unwrap();
        restore(&mut registry, &noted).unwrap();
        assert_eq!(registry, with(&[("GlobalFlag", 2)], false));
    }

    #[test]
    fn where_one_may_not_be_written_the_other_is_put_back() {
        let mut registry = Made::default();
        let noted = before(&registry, "store.exe").unwrap();
        registry.refused = Some(View::Narrow);
        assert!(set(&mut registry, &noted).is_err());
        assert!(restore(&mut registry, &noted).is_err());
        assert!(registry.keys.is_empty());
    }

    #[test]
    fn a_programs_name() {
        assert_eq!(program("store").as_deref(), Some("store.exe"));
        assert_eq!(program(r"C:\Exchange\Store.EXE").as_deref(), Some("Store.EXE"));
        assert_eq!(program(r"C:\Exchange\"), None);
        assert_eq!(program("a*b"), None);
        assert_eq!(program(""), None);
    }
}
