//! The catalogue as plain text: the list, and one entry whole. Nothing is wider than the width
//! asked for, except a single word that is; what a source does not state is said to be not
//! stated rather than left out.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::catalogue::Catalogue;
use super::entry::{Amount, End, Entry, LineFile, Origin, Place, Read, Stated};
use super::evidence::EvidenceKind;
use super::version::Scheme;
use crate::event::Exception;

/// What is said of an entry that nothing is held against.
pub(super) const NEVER_MATCHED: &str = "knowledge only; no trace and no dump is held against it";

/// One line per entry where it fits: id, title.
pub fn list(catalogue: &Catalogue, width: usize) -> String {
    let ids = catalogue.entries().map(|entry| entry.id.width()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in catalogue.entries() {
        let gap = " ".repeat(ids - entry.id.width() + 2);
        let mark = if entry.origin == Origin::Embedded { "" } else { " (your catalogue)" };
        let title = format!("{}{mark}", entry.title);
        wrap(&mut text, &format!("{}{gap}", entry.id), ids + 2, &title, width);
    }
    text
}

/// One entry, whole.
pub fn show(entry: &Entry, width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    wrap(&mut page.text, "", 0, &format!("{}: {}", entry.id, entry.title), width);
    page.text.push('\n');
    page.field("Symptom", &entry.symptom);
    page.field("Cause", &entry.cause);
    page.field("About", &entry.applies_to.join("; "));
    page.signature(entry);
    page.lines(entry);
    page.remedy(entry);
    page.list("Confirm", &entry.conditions.iter().map(|c| c.says.clone()).collect::<Vec<_>>());
    page.list("Not known", &entry.unknowns);
    if let Some(backports) = &entry.backports {
        page.field("Packages", &backports.says);
        page.list("Check", &backports.check);
    }
    let relations =
        entry.relations.iter().map(|r| format!("{} {}: {}", r.kind.in_words(), r.id, r.says));
    page.list("Related", &relations.collect::<Vec<_>>());
    let sources = entry.sources.iter().map(|source| {
        let read = match source.read {
            Read::Full => "read in full",
            Read::Excerpt => "read in part",
            Read::Diff => "the change itself was read",
            Read::SubjectOnly => "only its subject was read",
        };
        format!("{} ({read})", source.in_words())
    });
    page.list("Source", &sources.collect::<Vec<_>>());
    if let Origin::User(path) = &entry.origin {
        page.field("Origin", &format!("your own catalogue, {}", path.display()));
    }
    page.text
}

/// The column at which texts begin.
const INDENT: usize = 15;

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn field(&mut self, name: &str, text: &str) {
        let (indent, head) = if self.width < 3 * INDENT {
            (2, format!("{name}: "))
        } else {
            (INDENT, format!("{name:<INDENT$}"))
        };
        wrap(&mut self.text, &head, indent, text, self.width);
    }

    fn list(&mut self, name: &str, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            self.field(if at == 0 { name } else { "" }, text);
        }
    }

    fn signature(&mut self, entry: &Entry) {
        let signature = &entry.signature;
        let knowledge = signature.evidence == EvidenceKind::Untraced;
        let mut seen = Vec::new();
        if !knowledge {
            seen.push(signature.evidence.in_words().to_owned());
        }
        if !signature.processes.is_empty() {
            seen.push(format!("in {}", signature.processes.join(" or ")));
        }
        if let Some(modules) = &signature.modules {
            let place = if modules.at == Place::Blame { "blamed on" } else { "through" };
            seen.push(format!("{place} {}", modules.any.join(" or ")));
        }
        for step in &signature.frames {
            let place = if step.at == Place::Blame { "allocated in" } else { "under" };
            seen.push(format!("{place} {}", step.any.join(" or ")));
        }
        if let Some(bytes) = &signature.bytes {
            seen.push(format!("{} to {} bytes per {}", bytes.min, bytes.max, bytes.per));
        }
        if let Some(blocks) = &signature.blocks {
            seen.push(format!("{} to {} blocks per {}", blocks.min, blocks.max, blocks.per));
        }
        seen.extend(signature.amounts.iter().map(Amount::in_words));
        if knowledge {
            self.field("Never matched", NEVER_MATCHED);
            self.field("Where", &seen.join(", "));
        } else {
            self.field("A trace shows", &seen.join(", "));
        }
        if let Some(how) = &signature.inferred {
            self.field("", how);
        }
        if let Some(crash) = &entry.crash {
            let names = crash.exceptions.iter().map(|code| match Exception::name_of(*code) {
                Some(name) => format!("{name} ({code:#010x})"),
                None => format!("exception {code:#010x}"),
            });
            let names: Vec<String> = names.collect();
            let (processes, modules) = (crash.processes.join(" or "), crash.modules.join(" or "));
            let text = format!("{} in {processes} with {modules} loaded", names.join(" or "));
            self.field("A dump shows", &text);
            self.field("", &crash.says);
        }
        let faulty = &entry.faulty;
        let mut place: Vec<&str> = faulty.functions.iter().map(String::as_str).collect();
        place.extend(faulty.module.as_deref());
        place.extend(faulty.process.as_deref());
        let place = if place.is_empty() { "not stated".to_owned() } else { place.join(" in ") };
        let said = faulty.says.as_ref().map(|says| format!(". {says}")).unwrap_or_default();
        self.field("At fault", &format!("{place}{said}"));
    }

    fn lines(&mut self, entry: &Entry) {
        for line in &entry.lines {
            let mut text = line.product.clone();
            if !line.levels.is_empty() {
                let levels: Vec<_> = line.levels.iter().map(ToString::to_string).collect();
                let _ = write!(text, ", {}", levels.join(" and "));
            }
            match line.fixed_level {
                Some(level) => {
                    let _ = write!(text, "; fixed in {level}");
                }
                None if line.scheme == Scheme::Windows => {
                    text.push_str("; which level carries the fix is not stated");
                }
                // Upstream releases and packages have no levels.
                None => {}
            }
            if line.files.len() > 1 {
                text.push_str("; all of these files must be fixed");
            }
            self.field("Product", &text);
            for file in &line.files {
                self.field("", &file_in_words(file));
            }
        }
    }

    fn remedy(&mut self, entry: &Entry) {
        if let Some(version) = &entry.remedy.version {
            self.field("Fixed in", version);
        }
        let wanted: Vec<_> = entry.prerequisites.iter().map(|p| p.in_words()).collect();
        self.list("First", &wanted);
        for (at, step) in entry.remedy.steps.iter().enumerate() {
            let head = if at == 0 { "Do" } else { "" };
            self.field(head, &format!("{}. {step}", at + 1));
        }
        for setting in &entry.settings {
            self.field("Setting", &format!("{} = {}", setting.name, setting.on));
            self.field("", &format!("read it: {}", setting.read));
            self.field("", &format!("set it: {}", setting.set));
        }
        let computer = match entry.restart.computer {
            Stated::Yes => "The computer must be restarted.",
            Stated::No => "The computer need not be restarted.",
            Stated::NotStated => "Whether the computer must be restarted is not stated.",
        };
        self.field("Restart", entry.restart.says.as_deref().unwrap_or(computer));
        self.list("Will not fix", &entry.remedy.limits);
    }
}

/// A file of a product line: where the fault begins and ends, and what has the fix.
pub(super) fn file_in_words(file: &LineFile) -> String {
    let from = match (&file.from, &file.seen_from) {
        (Some(version), _) => version.to_string(),
        (None, Some(seen)) => format!("not known, seen in {seen}"),
        (None, None) => "not stated".to_owned(),
    };
    let end = match &file.end {
        End::Before(version) => format!("before {version}"),
        End::Through(version) => format!("through {version}"),
        End::NotStated => "up to: not stated".to_owned(),
    };
    let fixed = file.fixed.as_ref().map_or("no version stated".to_owned(), ToString::to_string);
    if let (true, Some(from)) = (file.is_in_no_release(), &file.from) {
        return format!(
            "{}: faulty: no release, only builds from source after {from}; fixed: {fixed}",
            file.name
        );
    }
    format!("{}: faulty from: {from}, {end}; fixed: {fixed}", file.name)
}

/// Appends `head` and `text`, broken between words, further lines indented.
fn wrap(into: &mut String, head: &str, indent: usize, text: &str, width: usize) {
    into.push_str(head);
    let mut column = head.width();
    let mut gap = 0;
    for word in text.split_whitespace() {
        if column + gap + word.width() > width && column > indent {
            into.truncate(into.trim_end_matches(' ').len());
            into.push('\n');
            into.push_str(&" ".repeat(indent));
            (column, gap) = (indent, 0);
        }
        into.push_str(&" ".repeat(gap));
        into.push_str(word);
        column += gap + word.width();
        gap = 1;
    }
    while into.ends_with(' ') {
        into.pop();
    }
    into.push('\n');
}
