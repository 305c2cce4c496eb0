//! What is to be replaced, and what is to stay, as events and paths tell it.

use super::form::{self, Form};
use super::path::{Part, parts};
use super::{Kind, Redactor};
use crate::event::{Event, FactKind, Module, Process, What};

/// Arguments shorter than this are not looked for in other texts: they are switches and common words.
const LEAST_ARGUMENT: usize = 6;
/// Users that every machine has, and that say nothing of anybody.
const NOBODY: [&str; 6] = ["root", "nobody", "public", "default", "all users", "administrator"];
/// Mail addresses' names that are offices.
const OFFICES: [&str; 14] = [
    "abuse",
    "admin",
    "contact",
    "help",
    "hostmaster",
    "info",
    "mail",
    "news",
    "noreply",
    "office",
    "postmaster",
    "sales",
    "support",
    "webmaster",
];
/// Options, without their dashes, whose value is a user or a host.
const USERS: [&str; 5] = ["user", "username", "login", "u", "uid"];
const HOSTS: [&str; 5] = ["host", "hostname", "server", "relay", "domain"];

impl Redactor {
    /// Learns what of an event is to be replaced.
    pub fn learn(&mut self, event: &Event) {
        match &event.what {
            What::Process(process) => self.learn_process(process),
            What::Module(module) => self.learn_module(module),
            What::Name(name) => {
                let files = name.functions.iter().filter_map(|of| of.file.as_deref());
                files.for_each(|file| self.learn_path(file));
                name.functions.iter().for_each(|of| self.learn_text(&of.function));
            }
            What::Fact(fact) => {
                if matches!(fact.kind, FactKind::Package | FactKind::Product) {
                    self.versions.extend(fact.value.clone());
                    return;
                }
                self.learn_text(&fact.subject);
                fact.value.iter().for_each(|value| self.learn_text(value));
            }
            What::Mark(mark) => self.learn_text(&mark.text),
            What::Thread(name) => self.learn_text(name),
            What::Scan(scan) => {
                let texts = scan.failed.iter().chain(&scan.unread.what);
                texts.for_each(|text| self.learn_text(text));
            }
            _ => {}
        }
    }

    /// Learns users and hosts that a text's paths and addresses name.
    pub fn learn_text(&mut self, text: &str) {
        for (at, _) in text.char_indices() {
            let Some((length, form)) = form::at(text, at) else { continue };
            let found = &text[at..at + length];
            match form {
                Form::Mail => {
                    let (name, host) = form::halves(found);
                    self.host(host);
                    if name.len() > 2 && !OFFICES.contains(&name.to_lowercase().as_str()) {
                        self.user(name);
                    }
                }
                Form::Url => {
                    let url = form::Url::of(found);
                    if let Some((user, password)) = url.user {
                        self.user(user);
                        password.into_iter().for_each(|password| self.argument(password));
                    }
                    self.host(url.host);
                    if url.host.is_empty() {
                        self.learn_path(url.rest);
                    }
                }
                Form::Encoded => self.learn_text(&form::decoded(found)),
                Form::Path => self.learn_path(found),
                // What is known by its form alone is found by it again.
                Form::Address | Form::Account => {}
            }
        }
    }

    /// Learns the users and hosts that a path names.
    pub fn learn_path(&mut self, path: &str) {
        for Part { text, kind } in parts(path) {
            match kind {
                Some(Kind::User) => self.user(text.trim_start_matches('~')),
                Some(Kind::Host) => self.host(text),
                _ => {}
            }
        }
    }

    /// Learns the name of a recording, by which texts call it.
    pub fn learn_recording(&mut self, path: &str) {
        self.learn_path(path);
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        self.words.learn(name, Kind::Directory);
        self.recordings.push(path.to_owned());
        // One within another begins with it.
        self.recordings.sort_by_key(|path| std::cmp::Reverse(path.len()));
    }

    fn learn_process(&mut self, process: &Process) {
        self.learn_product(&process.name);
        let mut option = "";
        for (at, argument) in process.command.iter().enumerate() {
            self.learn_text(argument);
            if at == 0 {
                continue;
            }
            self.argument(argument);
            match argument.split_once('=') {
                Some((option, value)) => self.value(option, value),
                None => self.value(option, argument),
            }
            option = if argument.contains('=') { "" } else { argument };
        }
    }

    /// Learns what an option was given.
    fn value(&mut self, option: &str, value: &str) {
        for item in value.split([',', ';']) {
            self.argument(item);
        }
        let Some(option) = option.strip_prefix('-') else { return };
        let option = option.trim_start_matches('-').to_lowercase();
        let plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
        if value.starts_with('-') || !value.chars().all(plain) {
            return;
        }
        if USERS.contains(&option.as_str()) {
            self.user(value);
        } else if HOSTS.contains(&option.as_str()) {
            self.host(value);
        }
    }

    fn learn_module(&mut self, module: &Module) {
        let identity = &module.identity;
        self.learn_product(identity.name.rsplit(['/', '\\']).next().unwrap_or_default());
        let pdb = identity.pdb.as_ref().map(|pdb| pdb.name.as_str());
        let paths =
            [Some(identity.path.as_str()), Some(&identity.name), identity.soname.as_deref()];
        paths.into_iter().flatten().chain(pdb).for_each(|path| self.learn_path(path));
        self.versions.extend(identity.file_version.clone());
        self.versions.extend(identity.pe.iter().filter_map(|pe| pe.product_version.clone()));
        self.versions.extend(identity.package.iter().map(|package| package.version.clone()));
    }

    fn learn_product(&mut self, name: &str) {
        let name = name.to_lowercase();
        // A user may be called as a product is: `mosquitto`, of `libmosquitto.so.1`.
        let stem = name.split('.').next().unwrap_or_default();
        for stem in [stem, stem.trim_start_matches("lib")] {
            if stem.len() > 1 {
                self.products.insert(stem.to_owned());
            }
        }
        self.words.keep(&name);
        self.modules.insert(name);
    }

    pub(super) fn user(&mut self, user: &str) {
        if user.len() > 1 && !NOBODY.contains(&user.to_lowercase().as_str()) {
            self.words.learn(user, Kind::User);
        }
    }

    pub(super) fn host(&mut self, host: &str) {
        let host = host.trim_end_matches('.');
        if host.len() < 2 || host.starts_with('.') || form::is_everywhere(host) {
            return;
        }
        if let Some((first, domain)) = host.split_once('.')
            && host.parse::<std::net::IpAddr>().is_err()
        {
            if first.len() > 3 && first.contains(|c: char| c.is_ascii_digit()) {
                self.words.learn(first, Kind::Host);
            }
            if domain.contains('.') {
                self.words.learn(domain, Kind::Host);
            }
        }
        self.words.learn(host, Kind::Host);
    }

    /// Learns this machine, by its whole name and by that before its domain.
    pub(super) fn this_host(&mut self, host: &str) {
        self.host(host);
        self.host(host.split('.').next().unwrap_or_default());
    }

    fn argument(&mut self, argument: &str) {
        if argument.len() >= LEAST_ARGUMENT {
            self.words.learn(argument, Kind::Argument);
        }
    }
}
