//! Paths, directory by directory: those that every system has stay.

use super::{Kind, Redactor};

/// Directories that say nothing of whose machine it is, in lower case.
const COMMON: &[&str] = &[
    "",
    ".",
    "..",
    "bin",
    "sbin",
    "usr",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "share",
    "local",
    "opt",
    "etc",
    "var",
    "run",
    "tmp",
    "dev",
    "proc",
    "self",
    "home",
    "root",
    "srv",
    "snap",
    "mnt",
    "src",
    "include",
    "debug",
    ".build-id",
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "users",
    "documents and settings",
    "windows",
    "winnt",
    "system",
    "system32",
    "syswow64",
    "winsxs",
    "program files",
    "program files (x86)",
    "programdata",
    "common files",
    "microsoft shared",
    "microsoft.net",
    "framework",
    "framework64",
    "assembly",
    "inetsrv",
    "exchsrvr",
    "exchange",
];
/// Directories in which each user has one.
const HOMES: [&str; 3] = ["home", "users", "documents and settings"];

/// What the parts of a path are, each with the separator before it.
pub(super) fn parts(path: &str) -> Vec<(&str, Option<Kind>)> {
    let unc = path.starts_with("\\\\") && !path.starts_with("\\\\?") && !path.starts_with("\\\\.");
    let all: Vec<&str> = path.split(['/', '\\']).collect();
    let mut parts = Vec::new();
    for (at, part) in all.iter().enumerate() {
        let lower = part.to_lowercase();
        let before = at.checked_sub(1).map(|before| all[before].to_lowercase());
        let drive = part.len() == 2 && part.ends_with(':');
        let kind = match before {
            _ if unc && at == 2 => Some(Kind::Host),
            Some(before) if HOMES.contains(&before.as_str()) && !part.is_empty() => {
                Some(Kind::User)
            }
            _ if drive || COMMON.contains(&lower.as_str()) => None,
            _ => Some(Kind::Directory),
        };
        parts.push((*part, kind));
    }
    parts
}

impl Redactor {
    /// A path; its last part stays where it is a module's or is to be kept.
    pub(super) fn path(&mut self, path: &str, keep_last: bool) -> String {
        let parts = parts(path);
        let last = parts.len() - 1;
        let mut out = String::new();
        let mut rest = path;
        for (at, (part, kind)) in parts.into_iter().enumerate() {
            let module = self.modules.contains(&part.to_lowercase());
            let stays = at == last && (keep_last || module);
            let known = self.words.get(&part.to_lowercase()).copied();
            match kind.map(|kind| known.unwrap_or(kind)).filter(|_| !stays) {
                Some(kind) => out.push_str(&self.token(kind, part)),
                None => out.push_str(part),
            }
            rest = &rest[part.len()..];
            if let Some(separator) = rest.chars().next() {
                out.push(separator);
                rest = &rest[separator.len_utf8()..];
            }
        }
        out
    }
}
