//! Names of people, machines and directories, arguments of command lines and mail addresses, each replaced by a token: the same name
//! by the same token wherever it stands. Names and versions of modules, and of packages and products, stay. What is to be replaced is
//! learnt from all events first, since a name may stand in a text before it stands where it shows what it is.

mod path;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, Fact, FactKind, Module, What};

/// What kind of name a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Host,
    Directory,
    Argument,
    Mail,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Host => "host",
            Kind::Directory => "path",
            Kind::Argument => "argument",
            Kind::Mail => "mail",
        }
    }
}

/// Arguments shorter than this are not looked for in other texts: they are switches and common words.
const LEAST_ARGUMENT: usize = 6;
/// Users that every machine has, and that say nothing of anybody.
const NOBODY: [&str; 6] = ["root", "nobody", "public", "default", "all users", "administrator"];

/// Replaces names.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// By kind and name in lower case: the token and the name.
    tokens: BTreeMap<(Kind, String), (String, String)>,
    counts: BTreeMap<&'static str, u64>,
    /// What is replaced wherever it stands as a word of its own.
    words: BTreeMap<String, Kind>,
    /// Names of modules and processes, in lower case.
    modules: BTreeSet<String>,
    /// The same without endings, and without what Linux puts before those of libraries.
    products: BTreeSet<String>,
}

impl Redactor {
    /// One that knows a user and a host already.
    pub fn new(users: &[String], hosts: &[String]) -> Self {
        let mut redactor = Redactor::default();
        users.iter().for_each(|user| redactor.user(user));
        hosts.iter().for_each(|host| redactor.host(host));
        redactor
    }

    /// Learns what of an event is to be replaced.
    pub fn learn(&mut self, event: &Event) {
        match &event.what {
            What::Process(process) => {
                self.learn_module(&process.name);
                for (at, argument) in process.command.iter().enumerate() {
                    self.learn_text(argument);
                    if at > 0 {
                        self.argument(argument);
                        let value = argument.split_once('=').map(|(_, value)| value);
                        value.into_iter().for_each(|value| self.argument(value));
                    }
                }
            }
            What::Module(module) => {
                self.learn_module(&module.identity.name);
                self.learn_text(&module.identity.path);
                let pdb = module.identity.pdb.as_ref();
                pdb.into_iter().for_each(|pdb| self.learn_text(&pdb.name));
            }
            What::Name(name) => {
                let files = name.functions.iter().filter_map(|of| of.file.as_deref());
                files.for_each(|file| self.learn_text(file));
            }
            What::Fact(fact) => {
                self.learn_text(&fact.subject);
                fact.value.iter().for_each(|value| self.learn_text(value));
            }
            What::Mark(mark) => self.learn_text(&mark.text),
            What::Thread(name) => self.learn_text(name),
            _ => {}
        }
    }

    /// Learns users and hosts that a text's paths and addresses name.
    pub fn learn_text(&mut self, text: &str) {
        for (kind, name) in text::named(text) {
            match kind {
                Kind::User => self.user(&name),
                _ => self.host(&name),
            }
        }
    }

    fn learn_module(&mut self, name: &str) {
        let name = name.to_lowercase();
        // A user may be called as a product is: `mosquitto`, of `libmosquitto.so.1`.
        let stem = name.split('.').next().unwrap_or_default();
        for stem in [stem, stem.trim_start_matches("lib")] {
            if stem.len() > 1 {
                self.products.insert(stem.to_owned());
            }
        }
        self.modules.insert(name);
    }

    fn user(&mut self, user: &str) {
        let user = user.to_lowercase();
        if user.len() > 1 && !NOBODY.contains(&user.as_str()) {
            self.words.insert(user, Kind::User);
        }
    }

    fn host(&mut self, host: &str) {
        let host = host.to_lowercase();
        if host.len() < 2 || host == "localhost" || host.starts_with('.') {
            return;
        }
        let first = host.split('.').next().unwrap_or_default();
        if first.len() > 3 && first != host && first.contains(|c: char| c.is_ascii_digit()) {
            self.words.insert(first.to_owned(), Kind::Host);
        }
        self.words.insert(host, Kind::Host);
    }

    fn argument(&mut self, argument: &str) {
        if argument.len() >= LEAST_ARGUMENT {
            self.words.entry(argument.to_lowercase()).or_insert(Kind::Argument);
        }
    }

    /// The token for a name.
    fn token(&mut self, kind: Kind, name: &str) -> String {
        let count = self.counts.entry(kind.name()).or_default();
        let (token, _) = self.tokens.entry((kind, name.to_lowercase())).or_insert_with(|| {
            *count += 1;
            (format!("{}-{count}", kind.name()), name.to_owned())
        });
        token.clone()
    }

    /// Replaces what is to be replaced in an event.
    pub fn event(&mut self, event: &mut Event) {
        match &mut event.what {
            What::Process(process) => {
                process.name = self.path(&process.name, true);
                for (at, argument) in process.command.iter_mut().enumerate() {
                    *argument = match at {
                        0 => self.program(argument),
                        _ => self.token(Kind::Argument, argument),
                    };
                }
            }
            What::Module(module) => self.module(module),
            What::Name(name) => {
                for of in &mut name.functions {
                    of.function = self.function(&of.function);
                    of.file = of.file.as_deref().map(|file| self.path(file, true));
                }
            }
            What::Fact(fact) => self.fact(fact),
            What::Mark(mark) => mark.text = self.text(&mark.text),
            What::Thread(name) => *name = self.text(name).into(),
            What::Scan(scan) => {
                scan.failed = scan.failed.as_deref().map(|text| self.text(text));
                scan.unread.what = scan.unread.what.as_deref().map(|text| self.text(text));
            }
            _ => {}
        }
    }

    /// How a program was called. Some write what they do there, and for whom (`sshd: jdoe@pts/0`): only names of programs and
    /// modules stay.
    fn program(&mut self, called: &str) -> String {
        let file = called.rsplit(['/', '\\']).next().unwrap_or_default();
        let file = file.trim_start_matches('-').to_lowercase();
        let known = self.modules.contains(&file)
            || self.modules.iter().any(|module| module.strip_suffix(".exe") == Some(&file));
        match known {
            true => self.path(called, true),
            false => self.token(Kind::Argument, called),
        }
    }

    fn module(&mut self, module: &mut Module) {
        let identity = &mut module.identity;
        identity.path = self.path(&identity.path, true);
        if let Some(pdb) = &mut identity.pdb {
            pdb.name = self.path(&pdb.name, true);
        }
    }

    fn fact(&mut self, fact: &mut Fact) {
        match fact.kind {
            FactKind::Package | FactKind::Product => return,
            // The file's name is that of a program or a module.
            FactKind::NotTraced
            | FactKind::FreesUnseen
            | FactKind::AllocationsUnseen
            | FactKind::SeenLate => {
                fact.subject = self.text_keeping(&fact.subject, true);
            }
            _ => fact.subject = self.text(&fact.subject),
        }
        fact.value = fact.value.as_deref().map(|value| self.text(value));
    }

    /// Learns the name of a recording, by which texts call it.
    pub fn learn_recording(&mut self, path: &str) {
        self.learn_text(path);
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        self.words.entry(name.to_lowercase()).or_insert(Kind::Directory);
    }

    /// The path of a recording, absolute or not.
    pub fn recording(&mut self, path: &str) -> String {
        self.path(path, false)
    }

    /// How many names of each kind were replaced, by the kinds' names.
    pub fn removed(&self) -> BTreeMap<String, u64> {
        self.counts.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
    }

    /// What each token stands for: the key, which stays with whoever wrote the case.
    pub fn key(&self) -> BTreeMap<&str, &str> {
        self.tokens.values().map(|(token, name)| (token.as_str(), name.as_str())).collect()
    }
}
