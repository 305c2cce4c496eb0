//! Free text: what its form tells for a name, and known names as words.

use super::form::{self, Form, Url};
use super::{Kind, Redactor};

impl Redactor {
    /// A text of any kind.
    pub fn text(&mut self, text: &str) -> String {
        self.text_keeping(text, false)
    }

    pub(super) fn text_keeping(&mut self, text: &str, keep_last: bool) -> String {
        self.walk(text, keep_last, false)
    }

    /// A function's name: its own words stay, even where an argument is called the same.
    pub(super) fn function(&mut self, function: &str) -> String {
        self.walk(function, true, true)
    }

    fn walk(&mut self, text: &str, keep_last: bool, is_function: bool) -> String {
        let mut out = String::new();
        let (mut plain, mut at) = (0, 0);
        while at < text.len() {
            let recording =
                self.recordings.iter().find(|path| text[at..].starts_with(path.as_str()));
            let found = match recording {
                Some(path) => Some((path.len(), None)),
                None => form::at(text, at).map(|(length, form)| (length, Some(form))),
            };
            let told = found.and_then(|(length, form)| {
                let found = &text[at..at + length];
                let told = match form {
                    Some(form) => self.formed(found, form, keep_last, is_function)?,
                    None => self.path(found, false),
                };
                Some((length, told))
            });
            let Some((length, told)) = told else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            out.push_str(&self.words_in(&text[plain..at], is_function, !is_function));
            out.push_str(&told);
            at += length;
            plain = at;
        }
        out + &self.words_in(&text[plain..], is_function, !is_function)
    }

    /// What stands for what has a form; `None` where it is only a word like others.
    fn formed(
        &mut self,
        found: &str,
        form: Form,
        keep_last: bool,
        is_function: bool,
    ) -> Option<String> {
        match form {
            Form::Path => Some(self.path(found, keep_last)),
            Form::Mail => {
                let (name, host) = form::halves(found);
                // Versions and instances of what stays (`getty@tty`) have no domain.
                let bare = !host.contains('.');
                let product = bare && (self.is_product(name) || self.is_product(host));
                (!(product || bare && is_function)).then(|| self.token(Kind::Mail, found))
            }
            Form::Url => Some(self.url(found, keep_last)),
            Form::Encoded => Some(self.token(Kind::Directory, found)),
            Form::Address if is_function || self.versions.contains(found) => None,
            Form::Address => Some(self.token(Kind::Host, found)),
            Form::Account => Some(self.token(Kind::User, found)),
        }
    }

    fn url(&mut self, url: &str, keep_last: bool) -> String {
        let Url { scheme, user, host, port, rest } = Url::of(url);
        let mut out = scheme.to_owned();
        if let Some((user, password)) = user {
            out += &self.token(Kind::User, user);
            if let Some(password) = password {
                out.push(':');
                out += &self.token(Kind::Argument, password);
            }
            out.push('@');
        }
        match host.is_empty() || form::is_everywhere(host) {
            true => out += host,
            false => {
                let bare = host.trim_matches(['[', ']']);
                let kind = self.words.kind(bare).unwrap_or(Kind::Host);
                out += &self.token(kind, bare);
            }
        }
        out += port;
        // What a file's is, is a path; what a server's says is not to be told apart.
        match rest.len() {
            0 | 1 => out + rest,
            _ if host.is_empty() => out + &self.path(rest, keep_last),
            _ => format!("{out}{}{}", &rest[..1], self.token(Kind::Directory, &rest[1..])),
        }
    }

    /// Replaces the known names that stand as words of their own, or `within` one by underscores.
    pub(super) fn words_in(&mut self, text: &str, without_arguments: bool, within: bool) -> String {
        let mut out = String::new();
        let mut done = 0;
        for found in self.words.find(text, within) {
            let (from, to) = found.at;
            let name = &text[from..to];
            let Some(kind) = found.kind else { continue };
            if without_arguments && kind == Kind::Argument || self.is_product(name) {
                continue;
            }
            out.push_str(&text[done..from]);
            out.push_str(&self.token(kind, name));
            done = to;
        }
        out.push_str(&text[done..]);
        out
    }

    fn is_product(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.modules.contains(&word) || self.products.contains(&word)
    }
}
