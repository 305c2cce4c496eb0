//! Paths of images: what the system calls `\Device\HarddiskVolume2\...` people, and whoever opens a file, call `C:\...`. The records
//! of images are changed accordingly before anybody takes them, so that names are found on the spot.

/// The drives of a machine.
#[derive(Clone, Debug, Default)]
pub struct Drives {
    /// Each drive's device with a backslash behind it in lower case, and its letter with a colon; the longest device first.
    drives: Vec<(String, String)>,
}

impl Drives {
    /// From pairs of a drive (`C:`) and what the system calls it.
    pub fn of(pairs: Vec<(String, String)>) -> Drives {
        let real = pairs.into_iter().filter(|(_, device)| device.starts_with(r"\Device\"));
        let mut drives: Vec<_> =
            real.map(|(drive, device)| (format!("{}\\", device.to_lowercase()), drive)).collect();
        drives.sort_by_key(|(device, _)| std::cmp::Reverse(device.len()));
        Drives { drives }
    }

    /// A path as people have it; as it was where no drive is known for it.
    pub fn path(&self, path: &str) -> String {
        if let Some(rest) = path.strip_prefix(r"\??\") {
            return rest.to_owned();
        }
        if let Some(rest) = path.strip_prefix(r"\Device\Mup\") {
            return format!(r"\\{rest}");
        }
        let lower = path.to_lowercase();
        let found = self.drives.iter().find(|(device, _)| lower.starts_with(device.as_str()));
        // A letter whose small form has another length would move the place; devices are ASCII.
        match found.and_then(|(device, drive)| Some((drive, path.get(device.len() - 1..)?))) {
            Some((drive, rest)) => format!("{drive}{rest}"),
            None => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Drives;

    #[test]
    fn a_device_is_a_drive() {
        let drives = Drives::of(vec![
            ("C:".to_owned(), r"\Device\HarddiskVolume2".to_owned()),
            ("D:".to_owned(), r"\Device\HarddiskVolume21".to_owned()),
            ("Z:".to_owned(), r"\??\C:\Somewhere".to_owned()),
        ]);
        for (path, told) in [
            (r"\Device\HarddiskVolume2\Windows\ntdll.dll", r"C:\Windows\ntdll.dll"),
            (r"\device\harddiskvolume21\Größe\a.dll", r"D:\Größe\a.dll"),
            (r"\Device\HarddiskVolume3\a.dll", r"\Device\HarddiskVolume3\a.dll"),
            (r"\??\E:\a.dll", r"E:\a.dll"),
            (r"\Device\Mup\server\share\a.dll", r"\\server\share\a.dll"),
            (r"C:\a.dll", r"C:\a.dll"),
        ] {
            assert_eq!(drives.path(path), told);
        }
    }
}
