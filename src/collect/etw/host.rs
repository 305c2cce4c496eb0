//! What the machine is, as far as a capture goes: read once, from the registry.

use winreg::RegKey;
use winreg::enums::HKEY_LOCAL_MACHINE;

use super::EtwError;
use super::collector::{Collector, Said};
use super::registry::setting;
use crate::event::{Fact, FactKind};

/// What the machine is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Version of Windows: major and minor; 0 where it is not known.
    pub version: (u32, u32),
    /// Build.
    pub build: u32,
    /// What it calls itself.
    pub product: String,
    /// Processors.
    pub processors: u32,
    /// Their speed in MHz; 0 where it is not known.
    pub mhz: u32,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// Whether this is Wine.
    pub is_wine: bool,
}

impl Host {
    /// Reads it.
    pub fn read() -> Host {
        let root = RegKey::predef(HKEY_LOCAL_MACHINE);
        let number = |key: &str, value: &str| -> Option<u32> {
            root.open_subkey(key).ok()?.get_value(value).ok()
        };
        let text = |key: &str, value: &str| -> Option<String> {
            root.open_subkey(key).ok()?.get_value(value).ok()
        };
        let windows = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
        // Windows 10 and later say 6.3 in the old value.
        let old = || {
            let old = text(windows, "CurrentVersion")?;
            let (major, minor) = old.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let new = || {
            let major = number(windows, "CurrentMajorVersionNumber")?;
            Some((major, number(windows, "CurrentMinorVersionNumber").unwrap_or_default()))
        };
        let zone = r"SYSTEM\CurrentControlSet\Control\TimeZoneInformation";
        let processor = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0";
        let processors = std::thread::available_parallelism();
        Host {
            version: new().or_else(old).unwrap_or_default(),
            build: text(windows, "CurrentBuildNumber")
                .and_then(|build| build.parse().ok())
                .unwrap_or_default(),
            product: text(windows, "ProductName").unwrap_or_default(),
            processors: processors.map_or(1, |count| count.get() as u32),
            mhz: number(processor, "~MHz").unwrap_or_default(),
            utc_offset_minutes: number(zone, "ActiveTimeBias")
                .map_or(0, |west| west.cast_signed().saturating_neg()),
            is_wine: root.open_subkey(r"SOFTWARE\Wine").is_ok(),
        }
    }

    /// Whether heaps can be traced by this version at all.
    ///
    /// # Errors
    /// It is too old.
    pub fn check(&self) -> Result<(), EtwError> {
        let (major, minor) = self.version;
        match self.version < (6, 1) && self.version != (0, 0) {
            true => Err(EtwError::TooOld { major, minor }),
            false => Ok(()),
        }
    }

    /// Whether there is one session of the kernel's only, which all share: before Windows 8.
    pub fn has_one_kernel_logger(&self) -> bool {
        self.version < (6, 2)
    }

    /// Says what the machine is, and what its settings are.
    pub fn say(&self, collector: &mut Collector<'_>, settings: &[String]) {
        let (major, minor) = self.version;
        let value = format!("{} {major}.{minor}.{}", self.product, self.build);
        let mut say = |kind, subject: &str, value| {
            let fact = Fact { kind, subject: subject.to_owned(), value };
            collector.say(0, super::ffi::now(), Said::Fact(&fact));
        };
        say(FactKind::System, "Windows", Some(value));
        for name in settings {
            // What may not be read was not looked at.
            if let Some(value) = setting(name) {
                say(FactKind::Setting, name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_windows_can_do_goes_by_its_version() {
        for (version, can, shares) in [
            ((5, 2), false, true),
            ((6, 0), false, true),
            ((6, 1), true, true),
            ((6, 2), true, false),
            ((10, 0), true, false),
        ] {
            let host = Host { version, ..Host::default() };
            assert_eq!(host.check().is_ok(), can, "{version:?}");
            assert_eq!(host.has_one_kernel_logger(), shares, "{version:?}");
        }
        // One that does not say it is tried.
        assert!(Host::default().check().is_ok());
    }
}
