//! Names of people, machines and directories, arguments of command lines and mail addresses, each replaced by a token: the same name
//! by the same token wherever it stands. Names and versions of modules, and of packages and products, stay. What is to be replaced is
//! learnt from all events first, since a name may stand in a text before it stands where it shows what it is.

mod form;
mod learn;
mod path;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, Fact, FactKind, Module, What};
use words::Words;

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

/// Replaces names.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// By kind and name in lower case: the token and the name.
    tokens: BTreeMap<(Kind, String), (String, String)>,
    counts: BTreeMap<&'static str, u64>,
    /// What is replaced wherever it stands as a word of its own.
    words: Words,
    /// Names of modules and processes, in lower case.
    modules: BTreeSet<String>,
    /// The same without endings, and without what Linux puts before those of libraries.
    products: BTreeSet<String>,
    /// Versions of modules, packages and products: some look like addresses.
    versions: BTreeSet<String>,
    /// The recordings, as they were named: with blanks, where paths in texts end at one.
    recordings: Vec<String>,
}

impl Redactor {
    /// One that knows a user and a host already.
    pub fn new(users: &[String], hosts: &[String]) -> Self {
        let mut redactor = Redactor::default();
        users.iter().for_each(|user| redactor.user(user));
        hosts.iter().for_each(|host| redactor.this_host(host));
        redactor
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
                    of.file = of.file.as_deref().map(|file| self.source_file(file));
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
        // Some evidence calls a module by its path, and so do some linkers.
        identity.name = self.path(&identity.name, true);
        identity.soname = identity.soname.as_deref().map(|name| self.path(name, true));
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

    /// A place as a message names it: a path, or an address.
    pub fn place(&mut self, place: &str) -> String {
        match form::is_rooted(place) {
            true => self.path(place, false),
            false => self.text(place),
        }
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
