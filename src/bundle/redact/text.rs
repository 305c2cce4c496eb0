//! Free text: mail addresses, paths and addresses in it by their form, other names as words.

use super::path::parts;
use super::{Kind, Redactor};

/// What ends a path in a text, besides spaces.
const ENDS: [char; 12] = ['"', '\'', '<', '>', '|', '*', '?', ';', ',', '(', ')', '\n'];

/// A file's name is looked for in so many words after a blank.
const MOST_WORDS: usize = 6;

impl Redactor {
    /// A text of any kind.
    pub fn text(&mut self, text: &str) -> String {
        self.text_keeping(text, false)
    }

    pub(super) fn text_keeping(&mut self, text: &str, keep_last: bool) -> String {
        let mut out = String::new();
        let mut plain = 0;
        let mut at = 0;
        while at < text.len() {
            let length = match mail(text, at).map(|length| (length, Kind::Mail)) {
                Some(found) => Some(found),
                None => path(text, at).map(|length| (length, Kind::Directory)),
            };
            let Some((length, kind)) = length else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            let before = self.words(&text[plain..at], false);
            out.push_str(&before);
            let found = &text[at..at + length];
            let token = match kind {
                Kind::Mail => self.token(kind, found),
                _ => self.path(found, keep_last),
            };
            out.push_str(&token);
            at += length;
            plain = at;
        }
        let rest = self.words(&text[plain..], false);
        out.push_str(&rest);
        out
    }

    /// A function's name: its own words stay, even where an argument is called the same.
    pub(super) fn function(&mut self, function: &str) -> String {
        match function.contains(['@', '\\', '/']) {
            true => self.text_keeping(function, true),
            false => self.words(function, true),
        }
    }

    /// Replaces the known names that stand as words of their own, longest first.
    fn words(&mut self, text: &str, without_arguments: bool) -> String {
        let mut known: Vec<(String, Kind)> =
            self.words.iter().map(|(word, kind)| (word.clone(), *kind)).collect();
        known.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        let lower = text.to_lowercase();
        // Where lower case has another length, positions mean nothing: compare as it is.
        let lower = if lower.len() == text.len() { lower } else { text.to_owned() };
        let mut found: Vec<(usize, usize, Kind)> = Vec::new();
        for (word, kind) in known {
            if without_arguments && kind == Kind::Argument || self.is_module(&word) {
                continue;
            }
            for (at, _) in lower.match_indices(word.as_str()) {
                let end = at + word.len();
                let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let alone =
                    edge(lower[..at].chars().next_back()) && edge(lower[end..].chars().next());
                if alone && !found.iter().any(|(from, to, _)| at < *to && *from < end) {
                    found.push((at, end, kind));
                }
            }
        }
        found.sort_unstable();
        let mut out = String::new();
        let mut done = 0;
        for (from, to, kind) in found {
            out.push_str(&text[done..from]);
            let token = self.token(kind, &text[from..to]);
            out.push_str(&token);
            done = to;
        }
        out.push_str(&text[done..]);
        out
    }

    fn is_module(&self, word: &str) -> bool {
        self.modules.contains(word) || self.products.contains(word)
    }
}

/// Users and hosts that the paths and addresses of a text name.
pub(super) fn named(text: &str) -> Vec<(Kind, String)> {
    let mut all = Vec::new();
    for (at, _) in text.char_indices() {
        if let Some(length) = mail(text, at) {
            let domain = text[at..at + length].rsplit('@').next().unwrap_or_default();
            all.push((Kind::Host, domain.to_owned()));
        } else if let Some(length) = path(text, at) {
            let of = parts(&text[at..at + length]).into_iter();
            let of = of.filter_map(|(part, kind)| Some((kind?, part.to_owned())));
            all.extend(of.filter(|(kind, _)| matches!(kind, Kind::User | Kind::Host)));
        } else if let Some(rest) = text[at..].strip_prefix("://") {
            let host = rest.split(|c: char| !c.is_alphanumeric() && !".-".contains(c)).next();
            all.extend(host.map(|host| (Kind::Host, host.to_owned())));
        }
    }
    all
}

fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The length of the mail address that begins here.
fn mail(text: &str, at: usize) -> Option<usize> {
    let local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    if before(text, at).is_some_and(local) {
        return None;
    }
    let rest = &text[at..];
    let name = rest.find(|c| !local(c)).filter(|length| *length > 0)?;
    let host = rest[name..].strip_prefix('@')?;
    let host = &host[..host.find(|c| !domain(c)).unwrap_or(host.len())];
    let host = host.trim_end_matches('.');
    let top = host.rsplit_once('.').map(|(_, top)| top)?;
    (top.len() > 1 && top.chars().all(char::is_alphabetic)).then_some(name + 1 + host.len())
}

/// The length of the absolute path that begins here.
fn path(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if before(text, at).is_some_and(|c| c.is_alphanumeric() || "/\\._-)".contains(c)) {
        return None;
    }
    let mut letters = rest.chars();
    let drive = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), Some('\\' | '/'));
    let unix = rest.starts_with('/') && !rest.starts_with("//");
    let share = rest.starts_with("\\\\") && rest.len() > 2;
    if !(drive || unix || share) {
        return None;
    }
    let stop = rest.find(ENDS).unwrap_or(rest.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_texts_become_tokens_and_the_same_name_the_same() {
        let mut redactor = Redactor::new(&["jdoe".to_owned()], &["mail01.corp.example".to_owned()]);
        for (text, redacted) in [
            ("login of JDOE on mail01", "login of user-1 on host-1"),
            ("jdoes work", "jdoes work"),
            ("to a.b@corp.example.", "to mail-1."),
            ("/home/jdoe/plan b/x.db gone", "/home/user-1/path-1/path-2 gone"),
            (r"C:\Documents and Settings\JDoe\q.pst", r"C:\Documents and Settings\user-1\path-3"),
            (r"\\MAIL01\Process(store)", r"\\host-1\path-4(store)"),
            (r"D:\Big client\Numbers of 2004.mdb is open", r"D:\path-5\path-6 is open"),
            (r"D:\Big client fails in store.exe", r"D:\path-7 client fails in store.exe"),
            ("version 6.0.6617.47", "version 6.0.6617.47"),
            ("3 km/h and/or 1/2", "3 km/h and/or 1/2"),
        ] {
            assert_eq!(redactor.text(text), redacted, "{text}");
        }
        assert_eq!(redactor.key()["user-1"].to_lowercase(), "jdoe");
    }
}
