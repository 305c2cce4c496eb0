//! Absolute paths in texts: where they begin, and what of the text is still theirs.

use super::{before, follows, is_rooted};

/// What ends a path in a text, besides spaces; some may stand within a name.
const ENDS: [char; 12] = ['"', '\'', '<', '>', '|', '*', '?', ';', ',', '(', ')', '\n'];
/// A file's name is looked for in so many words after a blank.
const MOST_WORDS: usize = 6;
/// A path that begins so is one whatever stands before it (`-L/home/jdoe/lib`).
const ROOTS: [&str; 14] = [
    "/home/", "/users/", "/root/", "/mnt/", "/media/", "/opt/", "/srv/", "/var/", "/usr/", "/tmp/",
    "/etc/", "/run/", "/proc/", "/data/",
];
/// What paths of Windows' devices begin with.
const DEVICES: [&str; 4] = [r"\device\", r"\??\", r"\dosdevices\", r"\systemroot\"];

/// The length of the absolute path that begins here.
pub(super) fn path(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let lower = |text: &str| text.chars().take(16).collect::<String>().to_lowercase();
    let start = lower(rest);
    let begins = |places: &[&str]| places.iter().any(|place| start.starts_with(place));
    let mut letters = rest.chars();
    let drive = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), Some('\\' | '/'));
    let home = drive
        && [r"\users\", "/users/", r"\documents and"]
            .iter()
            .any(|home| start[2..].starts_with(home));
    let device = begins(&DEVICES);
    let long = rest.starts_with(r"\\?\") || rest.starts_with(r"\\.\");
    let share = rest.starts_with("\\\\") && rest.len() > 2 || device;
    let slashes = rest
        .strip_prefix("//")
        .is_some_and(|rest| rest.starts_with(char::is_alphanumeric) && rest.contains('/'));
    let own = rest.starts_with('~')
        && rest[1..].find('/').is_some_and(|end| {
            rest[1..=end].chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
        });
    let unix = rest.starts_with('/') && !rest.starts_with("//") || slashes || own;
    if !(drive || unix || share) {
        return None;
    }
    let rooted = home || begins(&ROOTS);
    let anywhere = |c: char| "/\\".contains(c);
    let apart = |c: char| c.is_alphanumeric() || "/\\._-)".contains(c);
    if before(text, at).is_some_and(|c| anywhere(c) || apart(c) && !rooted || slashes && c == ':') {
        return None;
    }
    let quote = before(text, at).filter(|c| "\"'`".contains(*c));
    if let Some(end) = quote.and_then(|quote| rest.find([quote, '\n'])) {
        return (end > 1 && rest[end..].starts_with(|c| Some(c) == quote)).then_some(end);
    }
    let stop = stop(rest, if long { 4 } else { 0 });
    let most = &rest[..stop];
    // A path may hold spaces, but where no separator follows, the words after one are the text's.
    let separators: &[char] = if unix { &['/'] } else { &['\\'] };
    let mut end = most.find(char::is_whitespace).unwrap_or(most.len());
    while let Some(next) = most[end..].find(separators) {
        let between = &most[end..end + next];
        if between.ends_with([' ', ':']) {
            break;
        }
        let from = end + next;
        end = most[from..].find(char::is_whitespace).map_or(most.len(), |space| from + space);
    }
    if !unix {
        end += rest_of_name(&most[..end], &most[end..]);
    }
    let end = most[..end].trim_end_matches(['.', ':']).len();
    (end > 1).then_some(end)
}

/// Where the first character is that no path holds, from a place on: some are a part of a name (`Program Files (x86)\\`, `o'brien`).
fn stop(text: &str, from: usize) -> usize {
    let mut closing = None;
    for (at, c) in text.char_indices().filter(|(at, _)| *at >= from) {
        if !ENDS.contains(&c) || closing == Some(at) {
            continue;
        }
        let after = &text[at + c.len_utf8()..];
        let goes_on = match c {
            '(' => {
                let close =
                    after.find(|c| ENDS.contains(&c)).filter(|end| after[*end..].starts_with(')'));
                let within = close.filter(|end| after[end + 1..].starts_with(['/', '\\']));
                closing = within.map(|end| at + 1 + end);
                within.is_some()
            }
            '\'' => {
                follows(text, at, char::is_alphanumeric) && after.starts_with(char::is_alphanumeric)
            }
            ',' | ';' => after.starts_with(char::is_alphanumeric) && !is_rooted(after),
            _ => false,
        };
        if !goes_on {
            return at;
        }
    }
    text.len()
}

/// How long the rest of a file's name is that has blanks in it, as Windows' have: up to the word that ends in what kind of file it is,
/// where the part before the first blank does not.
fn rest_of_name(path: &str, after: &str) -> usize {
    let kind = |word: &str| {
        word.rsplit_once('.').is_some_and(|(name, ending)| {
            !name.is_empty()
                && (2..=5).contains(&ending.len())
                && ending.chars().all(char::is_alphanumeric)
        })
    };
    let last = path.rsplit('\\').next().unwrap_or_default();
    if kind(last) || last.is_empty() {
        return 0;
    }
    let mut length = 0;
    for word in after.split_inclusive(' ').take(MOST_WORDS) {
        length += word.len();
        let word = word.trim_end();
        // A program or module that is talked of is no part of the name.
        let ends = word.to_lowercase();
        if word.ends_with([':', ',']) || ends.ends_with(".exe") || ends.ends_with(".dll") {
            break;
        }
        if kind(word) {
            return after[..length].trim_end().len();
        }
    }
    0
}
