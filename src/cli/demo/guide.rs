//! What the visitor reads, and when: narration and reports come out as the tour goes, so that
//! there is something to read while the courier runs. Into a file they go all at once. As JSON
//! there is no narration.

use std::io::{self, IsTerminal};

use unfreed::report::text::page::{Ink, Page, Span, name, words};
use unfreed::report::text::style::{Detail, Style};

use super::super::fail::Failure;
use super::super::options::Form;
use super::super::output::{Io, deliver};

/// A command longer than this is shown as plain `unfreed`.
const LONGEST_COMMAND: usize = 40;

/// Tells the tour.
pub struct Guide<'a> {
    form: &'a Form,
    io: &'a Io,
    style: Style,
    told: String,
}

impl<'a> Guide<'a> {
    /// A guide that writes as the user asked.
    pub fn new(form: &'a Form, io: &'a Io) -> Guide<'a> {
        Guide { form, io, style: form.style(io), told: String::new() }
    }

    /// How texts are to look.
    pub fn style(&self) -> Style {
        self.style
    }

    /// A step begins: its title, and what happens in it.
    pub fn step(&mut self, title: &str, says: &str) -> Result<(), Failure> {
        let mut page = Page::new(self.style);
        page.paragraph(0, &[words(format!("== {title} ==")).ink(Ink::Strong)]);
        if self.style.detail > Detail::Brief {
            page.paragraph(0, &[words(says)]);
        }
        self.show(&page.finish())
    }

    /// How to go on from here.
    pub fn farewell(&mut self) -> Result<(), Failure> {
        let mut page = Page::new(self.style);
        page.paragraph(0, &[words("== Your turn ==").ink(Ink::Strong)]);
        let unfreed = command();
        let lines = [
            ("doctor -- YOUR-PROGRAM", "Can it be traced here?"),
            (
                "run -- YOUR-PROGRAM ITS-ARGUMENTS",
                "What does it never free? Put load on it for some minutes, then end it: the \
                 report comes when it has ended. Ctrl-C goes to the program.",
            ),
            ("record -o before.unfreed -- YOUR-PROGRAM", "The same into a file, for later."),
            ("analyze before.unfreed", "The report of that file, here or on another machine."),
            ("diff before.unfreed after.unfreed", "Did the fix help?"),
        ];
        for (arguments, says) in lines {
            let line: [Span<'_>; 3] = [name(unfreed.as_str()), words(" "), words(arguments)];
            page.hanging(2, 6, &line.map(|span| span.ink(Ink::Strong)));
            page.paragraph(6, &[words(says)]);
        }
        self.show(&page.finish())
    }

    /// A text, an empty line before all but the first.
    pub fn show(&mut self, text: &str) -> Result<(), Failure> {
        if self.form.json {
            return Ok(());
        }
        let gap = if self.told.is_empty() { "" } else { "\n" };
        let text = format!("{gap}{text}");
        self.told.push_str(&text);
        match self.form.output {
            None => deliver(text.as_bytes(), None),
            Some(_) => Ok(()),
        }
    }

    /// Tells on stderr, where somebody waits there and sees nothing else.
    pub fn progress(&self, says: &str) {
        let sees = !self.form.json && self.form.output.is_none() && io::stdout().is_terminal();
        if !sees && !self.form.quiet && io::stderr().is_terminal() {
            self.io.tell(&[words(says)]);
        }
    }

    /// The tour is over: delivers what was not shown as it went.
    pub fn finish(self, json: &str) -> Result<(), Failure> {
        let text = if self.form.json { json } else { &self.told };
        match &self.form.output {
            Some(file) => deliver(text.as_bytes(), Some(file)),
            None if self.form.json => deliver(text.as_bytes(), None),
            None => Ok(()),
        }
    }
}

/// How the visitor called this program, where that is worth typing again.
fn command() -> String {
    let typed = std::env::args().next().filter(|typed| typed.chars().count() <= LONGEST_COMMAND);
    typed.unwrap_or_else(|| "unfreed".to_owned())
}
