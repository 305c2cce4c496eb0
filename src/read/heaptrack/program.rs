//! What a file says of the program, and of heaptrack itself.

use crate::event::{Fact, FactKind, Process, What};

/// A program, and what its file is.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// The version of heaptrack.
    pub wrote: u32,
    /// The version of the file.
    pub version: u32,
    /// Whether modules were listed by address, and frames are.
    pub raw: bool,
    /// Whether heaptrack was attached to it when it ran.
    pub attached: bool,
    /// The executable; empty where the file has none.
    pub path: String,
    /// The command line; empty where the file has none.
    pub command: String,
}

impl Program {
    /// The process, and what its file is; `first` is the path of the first module listed.
    pub(super) fn told(&self, first: Option<&str>) -> [What; 2] {
        let process = Process {
            name: self.name(first).to_owned(),
            // Where one argument ends and the next begins is not in the file.
            command: self.command.split_ascii_whitespace().map(str::to_owned).collect(),
            from_start: !self.attached,
            ..Process::default()
        };
        let [major, minor, patch] =
            [self.wrote >> 16 & 0xff, self.wrote >> 8 & 0xff, self.wrote & 0xff];
        let kind = if self.raw { "raw" } else { "interpreted" };
        let value =
            Some(format!("{major}.{minor}.{patch}, {kind} data file, format {}", self.version));
        let fact = Fact { kind: FactKind::Capture, subject: "heaptrack".to_owned(), value };
        [What::Process(Box::new(process)), What::Fact(Box::new(fact))]
    }

    /// The program's name. An interpreted file has no path of it; its first text mostly is, being that of the first
    /// module listed.
    fn name<'a>(&'a self, first: Option<&'a str>) -> &'a str {
        let last = |path| str::rsplit(path, '/').next().unwrap_or_default();
        let first = last(first.unwrap_or_default());
        if !self.path.is_empty() {
            last(&self.path)
        } else if !first.is_empty() && self.command.contains(first) {
            first
        } else {
            last(self.command.split(' ').next().unwrap_or_default())
        }
    }
}
