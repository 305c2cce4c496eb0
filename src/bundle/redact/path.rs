//! Paths, directory by directory: those that every system has stay.

use super::{Kind, Redactor};

/// Directories that say nothing of whose machine it is, in lower case.
const COMMON: &[&str] = &[
    ".",
    "..",
    "~",
    // What Windows calls devices by.
    "?",
    "??",
    "unc",
    "device",
    "dosdevices",
    "systemroot",
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
    "media",
    "mail",
    "spool",
    "cron",
    "crontabs",
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
const HOMES: [&str; 4] = ["home", "users", "documents and settings", "media"];
/// What lies before that of a user's mail, or of what the system runs for a user.
const SPOOLS: [[&str; 2]; 3] = [["var", "mail"], ["spool", "mail"], ["cron", "crontabs"]];

/// A part of a path.
pub(super) struct Part<'a> {
    pub text: &'a str,
    /// What it names; `None` where every system has it.
    pub kind: Option<Kind>,
}

/// The parts of a path, between its separators.
pub(super) fn parts(path: &str) -> Vec<Part<'_>> {
    let all: Vec<&str> = path.split(['/', '\\']).collect();
    let lower: Vec<String> = all.iter().map(|part| part.to_lowercase()).collect();
    let is = |at: usize, what: &str| lower.get(at).is_some_and(|part| part == what);
    let host = match () {
        () if !is(0, "") || !is(1, "") => usize::MAX,
        () if is(2, "?") || is(2, ".") => {
            if is(3, "unc") {
                4
            } else {
                usize::MAX
            }
        }
        () => 2,
    };
    let part = |(at, text): (usize, &&'_ str)| {
        let before = |back: usize| at.checked_sub(back).map_or("", |before| &lower[before]);
        let user = HOMES.contains(&before(1)) || SPOOLS.contains(&[before(2), before(1)]);
        let kind = if text.is_empty() {
            None
        } else if at == host {
            Some(Kind::Host)
        } else if user || at == 0 && text.len() > 1 && text.starts_with('~') {
            Some(Kind::User)
        } else if is_common(&lower[at]) {
            None
        } else {
            Some(Kind::Directory)
        };
        (at, kind)
    };
    let kinds: Vec<_> = all.iter().enumerate().map(part).collect();
    kinds.into_iter().map(|(at, kind)| Part { text: all[at], kind }).collect()
}

fn is_common(part: &str) -> bool {
    let drive = part.len() == 2 && part.ends_with(':');
    let volume = part.strip_prefix("harddiskvolume");
    drive || COMMON.contains(&part) || volume.is_some_and(|n| n.bytes().all(|n| n.is_ascii_digit()))
}

impl Redactor {
    /// A path; its last part stays where it is a module's or is to be kept.
    pub(super) fn path(&mut self, path: &str, keep_last: bool) -> String {
        let parts = parts(path);
        let last = parts.len() - 1;
        let mut out = String::new();
        let mut rest = path;
        for (at, Part { text, kind }) in parts.into_iter().enumerate() {
            let module = self.modules.contains(&text.to_lowercase());
            let stays = at == last && (keep_last || module);
            let known = self.words.kind(text);
            match kind.map(|kind| known.unwrap_or(kind)).filter(|_| !stays) {
                Some(kind) => {
                    let name = text.trim_start_matches('~');
                    out.push_str(&text[..text.len() - name.len()]);
                    out.push_str(&self.token(kind, name));
                }
                None => out.push_str(text),
            }
            rest = &rest[text.len()..];
            if let Some(separator) = rest.chars().next() {
                out.push(separator);
                rest = &rest[separator.len_utf8()..];
            }
        }
        out
    }

    /// A source file: what it is called stays, but for names of users and hosts in it.
    pub(super) fn source_file(&mut self, path: &str) -> String {
        let path = self.path(path, true);
        let last = path.rfind(['/', '\\']).map_or(0, |separator| separator + 1);
        let (directory, file) = path.split_at(last);
        format!("{directory}{}", self.words_in(file, true, true))
    }
}
