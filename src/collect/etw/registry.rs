//! The registry as far as tracing touches it: the heap tracing flag of a program, and settings that fixes ask for. Behind a trait, so
//! that every way through [`flag`](super::flag) is tested anywhere.

use std::io;

/// Which of the two registries a system of 64 bits has.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// That of 64-bit programs; the only one on a system of 32 bits.
    Native,
    /// That of 32-bit programs.
    Narrow,
}

/// Keys and values below `HKEY_LOCAL_MACHINE`.
pub trait Registry {
    /// Whether there is a key.
    ///
    /// # Errors
    /// It may not be looked at.
    fn has_key(&self, view: View, key: &str) -> io::Result<bool>;
    /// A number; `None` where there is none, or another kind of value.
    ///
    /// # Errors
    /// It may not be read.
    fn number(&self, view: View, key: &str, value: &str) -> io::Result<Option<u32>>;
    /// Sets a number, and makes the key if it must.
    ///
    /// # Errors
    /// It may not be written.
    fn set_number(&mut self, view: View, key: &str, value: &str, to: u32) -> io::Result<()>;
    /// Removes a value, if it is there.
    ///
    /// # Errors
    /// It may not be written.
    fn remove_value(&mut self, view: View, key: &str, value: &str) -> io::Result<()>;
    /// Removes a key, if it is there and has nothing in it.
    ///
    /// # Errors
    /// It may not be written.
    fn remove_empty_key(&mut self, view: View, key: &str) -> io::Result<()>;
}

#[cfg(windows)]
pub use machine::{Machine, setting};

#[cfg(windows)]
mod machine {
    use std::io::{self, ErrorKind};

    use winreg::enums::{
        HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_32KEY, KEY_WOW64_64KEY,
        KEY_WRITE, RegType,
    };
    use winreg::types::FromRegValue;
    use winreg::{HKEY, RegKey};

    use super::{Registry, View};

    /// This machine's.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Machine;

    fn access(view: View) -> u32 {
        match view {
            View::Native => KEY_WOW64_64KEY,
            View::Narrow => KEY_WOW64_32KEY,
        }
    }

    fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(view: View, key: &str, wish: u32) -> io::Result<Option<RegKey>> {
        let root = RegKey::predef(HKEY_LOCAL_MACHINE);
        absent(root.open_subkey_with_flags(key, wish | access(view)))
    }

    impl Registry for Machine {
        fn has_key(&self, view: View, key: &str) -> io::Result<bool> {
            Ok(open(view, key, KEY_READ)?.is_some())
        }

        fn number(&self, view: View, key: &str, value: &str) -> io::Result<Option<u32>> {
            let Some(key) = open(view, key, KEY_READ)? else { return Ok(None) };
            let Some(raw) = absent(key.get_raw_value(value))? else { return Ok(None) };
            Ok((raw.vtype == RegType::REG_DWORD).then(|| u32::from_reg_value(&raw).ok()).flatten())
        }

        fn set_number(&mut self, view: View, key: &str, value: &str, to: u32) -> io::Result<()> {
            let root = RegKey::predef(HKEY_LOCAL_MACHINE);
            let (key, _) = root.create_subkey_with_flags(key, KEY_WRITE | access(view))?;
            key.set_value(value, &to)
        }

        fn remove_value(&mut self, view: View, key: &str, value: &str) -> io::Result<()> {
            match open(view, key, KEY_WRITE)? {
                Some(key) => absent(key.delete_value(value)).map(drop),
                None => Ok(()),
            }
        }

        fn remove_empty_key(&mut self, view: View, key: &str) -> io::Result<()> {
            let Some(found) = open(view, key, KEY_READ)? else { return Ok(()) };
            let about = found.query_info()?;
            if about.sub_keys > 0 || about.values > 0 {
                return Ok(());
            }
            let root = RegKey::predef(HKEY_LOCAL_MACHINE);
            absent(root.delete_subkey_with_flags(key, access(view))).map(drop)
        }
    }

    /// A setting as the catalogue names it, `HIVE\KEY\VALUE`, in both registries of the system: the native one first. `None`
    /// where it is not one of the registry, or may not be read; within, `None` where it was looked for and is absent.
    pub fn setting(name: &str) -> Option<Option<String>> {
        let (hive, rest) = name.split_once('\\')?;
        let hive: HKEY = match hive.to_ascii_uppercase().as_str() {
            "HKEY_LOCAL_MACHINE" | "HKLM" => HKEY_LOCAL_MACHINE,
            "HKEY_CURRENT_USER" | "HKCU" => HKEY_CURRENT_USER,
            _ => return None,
        };
        let (key, value) = rest.rsplit_once('\\')?;
        for view in [View::Native, View::Narrow] {
            let opened = RegKey::predef(hive).open_subkey_with_flags(key, KEY_READ | access(view));
            let Some(opened) = absent(opened).ok()? else { continue };
            if let Some(raw) = absent(opened.get_raw_value(value)).ok()? {
                return match raw.vtype {
                    RegType::REG_DWORD => Some(Some(u32::from_reg_value(&raw).ok()?.to_string())),
                    RegType::REG_QWORD => Some(Some(u64::from_reg_value(&raw).ok()?.to_string())),
                    _ => Some(Some(String::from_reg_value(&raw).ok()?)),
                };
            }
        }
        Some(None)
    }
}
