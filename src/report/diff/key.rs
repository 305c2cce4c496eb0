//! What a site is recognised by in another trace: process, modules and functions. Addresses and
//! offsets change with every build and are used only for frames that have no name; versions in
//! file names (`libplugin-1.2.0.so`, `libssl.so.3`) are left out.

/// What a site is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey {
    /// The process's name.
    pub process: String,
    /// The frames, innermost first, inlined functions as frames of their own.
    pub frames: Vec<FrameKey>,
    /// The blame frame.
    pub blame: Option<FrameKey>,
    /// Whether blocks accumulate here or are freed too often.
    pub over_release: bool,
}

/// What a frame is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKey {
    module: String,
    place: String,
}

impl FrameKey {
    /// The frame's key: its function, or its offset where it has no name.
    pub fn new(module: Option<&str>, function: Option<&str>, offset: &str) -> Self {
        FrameKey {
            module: module.map(unversioned).unwrap_or_default(),
            place: function.map_or_else(|| format!("+{offset}"), str::to_owned),
        }
    }

    /// The module, without a version.
    pub fn module(&self) -> &str {
        &self.module
    }
}

/// A module's name without versions: `libplugin-1.2.0.so` and `libplugin.so.1.2` are both
/// `libplugin.so`. Case does not matter (Windows).
pub fn unversioned(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let (stem, extension) = match name.find(".so") {
        // What follows `.so` is a version or nothing.
        Some(at) if name[at + 3..].chars().all(|c| c.is_ascii_digit() || c == '.') => {
            (&name[..at], ".so")
        }
        _ => match name.rfind('.') {
            Some(at) if at > 0 && name[at + 1..].chars().all(|c| c.is_ascii_alphabetic()) => {
                name.split_at(at)
            }
            _ => (name.as_str(), ""),
        },
    };
    // Only what has a dot is a version: the `2` of `libz2` is a name's.
    let kept = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let version = &stem[kept.len()..];
    let kept = match kept.strip_suffix(['-', '_', '.', 'v']) {
        Some(kept) if version.contains('.') => kept.trim_end_matches(['-', '_', '.']),
        _ => stem,
    };
    format!("{}{extension}", if kept.is_empty() { stem } else { kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_left_out_of_names() {
        for (name, plain) in [
            ("libplugin-1.2.0.so", "libplugin.so"),
            ("libplugin.so.1.2.1", "libplugin.so"),
            ("libplugin_v1.2.so", "libplugin.so"),
            ("libssl.so.3", "libssl.so"),
            ("libbz2.so.1.0", "libbz2.so"),
            ("python3.11", "python3.11"),
            ("mosquitto", "mosquitto"),
            ("Cdoexm.dll", "cdoexm.dll"),
            ("Emsmdb32.dll", "emsmdb32.dll"),
            ("1.2.3", "1.2.3"),
            ("", ""),
            (".so", ".so"),
        ] {
            assert_eq!(unversioned(name), plain, "{name}");
        }
    }
}
