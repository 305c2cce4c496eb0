//! The draft as text: keys where facts were recognised, empty texts where somebody has to say it in words of their own, and
//! everything else of the article as comments.

use std::fmt::Write as _;

use super::Draft;
use super::article::{Article, Section};
use super::facts::{Facts, Setting};
use super::files::File;
use crate::fixes::product::Product;
use crate::fixes::version::FileVersion;

/// Writes the draft.
pub(super) fn write(article: &Article, facts: &Facts, files: &[File], cut: bool) -> Draft {
    let id = facts.id.clone().unwrap_or_else(|| "DRAFT".to_owned());
    let mut page = Page { article, text: String::new() };
    page.line("# A draft made from a saved article. Lines of the article that were not understood are comments, with their");
    page.line("# numbers. Say symptom and cause in words of your own; leave out what the article does not state.");
    if cut {
        page.line("# The article is longer than what is read: its end is missing here.");
    }
    page.key("id", &id);
    page.key("title", facts.title.as_deref().unwrap_or_default());
    page.comments(Section::Head, "head");
    match kind(facts) {
        Some(kind) => page.key("kind", kind),
        None => page.line("# `kind` was not understood: heap, handle, paged-pool, use-count, heap-corruption, crash, ..."),
    }
    page.comments(Section::Symptoms, "symptoms");
    page.key("symptom", "");
    page.comments(Section::Cause, "cause");
    page.key("cause", "");
    page.list("applies_to", &facts.applies_to);
    page.comments(Section::AppliesTo, "applies to");
    page.list("unknowns", &[]);
    if files.is_empty() && facts.fixed_level.is_none() {
        page.key("versions", "not stated");
    }
    page.table("[[sources]]");
    let number = id.trim_start_matches("KB");
    page.key("title", &format!("Microsoft Knowledge Base article {number}"));
    if let Some(revision) = &facts.revision {
        page.key("revision", revision);
    }
    page.key("read", if cut { "excerpt" } else { "full" });
    page.signature(facts, files);
    page.lines(facts, files);
    page.rest(facts);
    for (id, title) in &facts.cited {
        page.table("[[relations]]");
        page.key("kind", "cites");
        page.key("id", id);
        page.key("says", title);
    }
    Draft { id, text: page.text }
}

/// The kind that the evidence makes likely; `None` where the article speaks of nothing that a trace shows.
fn kind(facts: &Facts) -> Option<&'static str> {
    Some(match facts.evidence? {
        "over-release" => "use-count",
        "handles" => "handle",
        "paged-pool" => "paged-pool",
        "crash" => "crash",
        _ => "heap",
    })
}

struct Page<'a> {
    article: &'a Article,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn table(&mut self, name: &str) {
        self.text.push('\n');
        self.line(name);
    }

    fn key(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.text, "{key} = {}", quoted(value));
    }

    fn list(&mut self, key: &str, values: &[String]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        let _ = writeln!(self.text, "{key} = [{}]", values.join(", "));
    }

    /// What a section has that was not understood.
    fn comments(&mut self, section: Section, name: &str) {
        let pieces = self.article.pieces.iter();
        let left: Vec<_> = pieces.filter(|piece| piece.section == section && !piece.used).collect();
        if left.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "# -- {name}");
        for piece in left {
            let _ = writeln!(self.text, "# line {}: {}", piece.line, piece.text);
        }
    }

    fn signature(&mut self, facts: &Facts, files: &[File]) {
        self.table("[signature]");
        match facts.evidence {
            Some(evidence) => self.key("evidence", evidence),
            None => self.line("# `evidence` was not understood: accumulation, over-release, handles, paged-pool, crash"),
        }
        if !facts.processes.is_empty() {
            self.list("processes", &facts.processes);
        }
        let (modules, of_files) = if facts.modules.is_empty() {
            (files.iter().map(|file| file.name.clone()).collect(), true)
        } else {
            (facts.modules.clone(), false)
        };
        if !modules.is_empty() {
            if of_files {
                self.line("# the article names no module but the files that it replaces: where they allocate is an inference");
            }
            let names: Vec<String> = modules.iter().map(|name| quoted(name)).collect();
            let _ =
                writeln!(self.text, "modules = {{ any = [{}], at = \"path\" }}", names.join(", "));
        }
        if !facts.functions.is_empty() {
            self.table("[[signature.frames]]");
            self.list("any", &facts.functions);
        }
    }

    fn lines(&mut self, facts: &Facts, files: &[File]) {
        if !files.is_empty() || facts.fixed_level.is_some() {
            self.table("[[lines]]");
            let product = facts.applies_to.first().map(|name| Product::name_of(name));
            self.key("product", &product.unwrap_or_default());
            self.key("scheme", "windows");
            if let Some(level) = facts.fixed_level {
                self.key("fixed_level", &level.to_string());
            }
        }
        for file in files {
            self.table("[[lines.files]]");
            let _ = writeln!(self.text, "# line {} of the article: {}", file.line, file.row);
            self.key("name", &file.name);
            let version = file.version.as_deref();
            if let Some(line) = version.and_then(FileVersion::parse).as_ref().map(leading) {
                self.key("line", &line);
            }
            let end = quoted(version.unwrap_or("not stated"));
            let _ = writeln!(self.text, "affected = {{ from = \"not stated\", before = {end} }}");
            self.key("fixed", version.unwrap_or("not stated"));
            self.key("provenance", if version.is_some() { "article" } else { "date-and-size" });
            if let (None, Some(size)) = (version, file.size) {
                let _ = writeln!(self.text, "fixed_size = {size}");
            }
        }
        self.comments(Section::Files, "file information");
    }

    fn rest(&mut self, facts: &Facts) {
        match facts.registry.as_ref().map(|registry| registry.setting()) {
            None => {}
            Some(None) => {
                self.line("");
                self.line("# A registry value is named, of which not all was understood: key, name, type, and what switches the fix on.");
            }
            Some(Some(setting)) => {
                let Setting { key, value, kind, on } = setting;
                self.table("[[settings]]");
                self.key("name", &format!("{key}\\{value}"));
                self.key("on", on);
                let key =
                    key.replace("HKEY_LOCAL_MACHINE", "HKLM").replace("HKEY_CURRENT_USER", "HKCU");
                let value =
                    if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() };
                self.key("read", &format!("reg query \"{key}\" /v {value}"));
                self.key("set", &format!("reg add \"{key}\" /v {value} /t {kind} /d {on}"));
                self.line("# which values leave it off, and whether an absent one does: `off`, `absent_is_off`");
            }
        }
        self.comments(Section::Registry, "registry");
        for (what, see) in &facts.prerequisites {
            self.table("[[prerequisites]]");
            self.key("what", what);
            if let Some(see) = see {
                self.key("see", see);
            }
        }
        self.comments(Section::Prerequisites, "prerequisites");
        self.table("[restart]");
        if let Some(restarts) = facts.computer_restarts {
            self.key("computer", if restarts { "yes" } else { "no" });
        }
        if !facts.services.is_empty() {
            self.list("services", &facts.services);
        }
        self.comments(Section::Restart, "restart");
        self.table("[remedy]");
        match (facts.hotfix, facts.fixed_level) {
            (true, _) => self.key("kind", "hotfix"),
            (false, Some(_)) => self.key("kind", "service-pack"),
            (false, None) => self.line(
                "# `kind` was not understood: hotfix, rollup, service-pack, release, configuration, code-change, none",
            ),
        }
        self.comments(Section::Resolution, "resolution");
        self.list("steps", &[]);
        self.comments(Section::Replacement, "replacement");
        self.comments(Section::Status, "status");
        self.comments(Section::More, "more");
    }
}

/// The first two numbers of a version, by which its product line is known.
fn leading(version: &FileVersion) -> String {
    let parts: Vec<String> = version.parts().iter().take(2).map(ToString::to_string).collect();
    parts.join(".")
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
