//! The facts of an article that can be recognised: its number, title and revision, the products, what must be there first, what
//! restarts, a registry value, functions, modules and processes that it names. A sentence counts as understood only
//! where everything that matters in it became a key; the others stay for the reader.

use super::article::{Article, Piece, Section};
use super::number::{after, cited_number, number, number_only};
use crate::fixes::product::Level;

/// What was recognised; empty or `None` where nothing was.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub id: Option<String>,
    pub title: Option<String>,
    pub revision: Option<String>,
    pub applies_to: Vec<String>,
    pub processes: Vec<String>,
    /// Modules that symptom or cause name.
    pub modules: Vec<String>,
    pub functions: Vec<String>,
    pub evidence: Option<&'static str>,
    pub prerequisites: Vec<(String, Option<String>)>,
    pub computer_restarts: Option<bool>,
    pub services: Vec<String>,
    pub fixed_level: Option<Level>,
    /// A sentence began that ends with the level.
    corrected: bool,
    pub hotfix: bool,
    pub registry: Option<Registry>,
    /// Articles that it names, with their titles.
    pub cited: Vec<(String, String)>,
}

/// A registry value that switches the fix on.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    key: String,
    value: Option<String>,
    kind: Option<String>,
    on: Option<String>,
}

/// A registry value of which everything is known that its commands need.
pub(super) struct Setting<'r> {
    pub key: &'r str,
    pub value: &'r str,
    pub kind: &'r str,
    pub on: &'r str,
}

impl Registry {
    /// `None` where something is missing, or has a sign in it that could make another command of one that is run.
    pub(super) fn setting(&self) -> Option<Setting<'_>> {
        let plain = |text: &&str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || " \\_-./".contains(c);
            !text.is_empty() && !text.ends_with('\\') && text.chars().all(fine)
        };
        Some(Setting {
            key: Some(self.key.as_str()).filter(plain)?,
            value: self.value.as_deref().filter(plain)?,
            kind: self.kind.as_deref().filter(|kind| kind.starts_with("REG_")).filter(plain)?,
            on: self.on.as_deref().filter(plain)?,
        })
    }
}

/// Takes out of an article what can be recognised.
pub(super) fn take(article: &mut Article) -> Facts {
    let mut facts = Facts::default();
    for piece in article.pieces.iter_mut().filter(|piece| !piece.used) {
        facts.take_number(piece);
        match piece.section {
            Section::Head => facts.take_head(piece),
            Section::AppliesTo => facts.take_product(piece),
            Section::Symptoms | Section::Cause => facts.take_names(piece),
            Section::Prerequisites => facts.take_prerequisite(piece),
            Section::Restart => facts.take_restart(piece),
            Section::Resolution => facts.hotfix |= contains(piece, "hotfix"),
            Section::Status => facts.take_level(piece),
            Section::Replacement => piece.used |= contains(piece, "does not replace any other"),
            Section::Files | Section::Registry | Section::More => {}
        }
        facts.take_review(piece);
        facts.take_registry(piece);
        facts.take_keywords(piece);
        facts.take_citation(piece);
    }
    let own = facts.id.clone().unwrap_or_default();
    facts.cited.retain(|(id, _)| *id != own);
    facts.cited.dedup();
    facts
}

fn contains(piece: &Piece, words: &str) -> bool {
    piece.text.to_ascii_lowercase().contains(words)
}

impl Facts {
    fn take_number(&mut self, piece: &mut Piece) {
        for word in ["article id", "kb archive/", "document"] {
            if let Some(id) = after(&piece.text, word).and_then(number) {
                self.id.get_or_insert(id);
            }
        }
        // `Title of the article (843523)`
        if self.id.is_none()
            && piece.section == Section::Head
            && let Some((title, rest)) = piece.text.rsplit_once(" (")
            && let Some(id) = rest.strip_suffix(')').and_then(number)
        {
            self.id = Some(id);
            self.title.get_or_insert_with(|| title.trim().to_owned());
            piece.used = true;
        }
    }

    fn take_head(&mut self, piece: &mut Piece) {
        let text = piece.text.clone();
        if let Some(title) = after(&text, "title   :").or_else(|| text.strip_prefix("TITLE:")) {
            // `XCLN: English Version of ...` begins with a mark of the product.
            self.title =
                Some(title.split_once(':').map_or(title, |(_, rest)| rest).trim().to_owned());
            piece.used = true;
        } else if let Some(rest) = text.strip_prefix("DOCUMENT:") {
            self.revision = rest.split_whitespace().nth(1).map(str::to_owned);
            piece.used = true;
        } else if let Some(rest) =
            after(&text, "last review:").or_else(|| after(&text, "last reviewed:"))
        {
            // `October 30, 2007 - Revision: 1.9 Title of the article`
            let (date, rest) = rest.split_once(" - ").unwrap_or((rest, ""));
            let revision = after(rest, "revision:").unwrap_or_default();
            let (revision, title) = revision.split_once(' ').unwrap_or((revision, ""));
            let told =
                if revision.is_empty() { String::new() } else { format!("revision {revision}, ") };
            self.revision = Some(format!("{told}last reviewed {}", date.trim()));
            if !title.trim().is_empty() {
                self.title.get_or_insert_with(|| title.trim().to_owned());
            }
            piece.used = true;
        } else if let Some(date) = after(&text, "article last modified on") {
            self.revision = Some(format!("last modified {date}"));
            piece.used = true;
        } else if let Some(revision) = text.strip_prefix("Revision :") {
            self.revision = Some(format!("revision {}", revision.trim()));
            piece.used = true;
        } else if number_only(&text).is_some()
            || after(&text, "article id").and_then(number).is_some()
        {
            piece.used = true;
        } else if self.title.is_none() && is_title(&text) {
            self.title = Some(text);
            piece.used = true;
        }
    }

    fn take_product(&mut self, piece: &mut Piece) {
        let text = piece.text.trim_start_matches(['•', '-', '*', ' ']).trim();
        if piece.text.starts_with(['•', '-', '*']) && !text.is_empty() {
            self.applies_to.push(text.to_owned());
            piece.used = true;
        }
    }

    /// Names in symptom and cause. The sentence stays: what it says of them is for the reader.
    fn take_names(&mut self, piece: &Piece) {
        for word in piece.text.split([' ', ',', '(', ')', '"']) {
            let word = word.trim_end_matches(['.', ':', ';']);
            let lower = word.to_ascii_lowercase();
            if word.contains("::") && !word.starts_with(':') {
                push(&mut self.functions, word);
            } else if lower.ends_with(".dll") {
                push(&mut self.modules, word);
            } else if lower.ends_with(".exe") {
                push(&mut self.processes, word);
            }
        }
        let lower = piece.text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let seen = if has(&["usage count", "use count", "reference count"]) {
            Some("over-release")
        } else if has(&["paged pool"]) {
            Some("paged-pool")
        } else if has(&[
            "handle leak",
            "handle count",
            "leaks handles",
            "open handles",
            "handles open",
        ]) {
            Some("handles")
        } else if has(&["leak", "private bytes", "memory usage"]) {
            Some("accumulation")
        } else if has(&["access violation", "stops unexpectedly", "heap corruption"]) {
            Some("crash")
        } else {
            None
        };
        // A cause says more than a symptom, and a use count more than the crash it ends in.
        if seen.is_some() && (self.evidence.is_none() || seen == Some("over-release")) {
            self.evidence = seen;
        }
    }

    fn take_prerequisite(&mut self, piece: &mut Piece) {
        let text = piece.text.trim_start_matches(['•', '-', ' ']);
        let begins = ["requires ", "must be running ", "must have the ", "must have "];
        let what = begins.iter().find_map(|word| after(text, word));
        if let Some(what) = what {
            let ends =
                [" to install", " installed", " to apply", ".", " For more", " For additional"];
            let end = ends.iter().filter_map(|end| what.find(end)).min().unwrap_or(what.len());
            if let Some(what) = what.get(..end).filter(|what| !what.trim().is_empty()) {
                self.prerequisites.push((what.trim().to_owned(), None));
                piece.used = true;
            }
        } else if let (Some(id), Some(last)) = (cited_number(text), self.prerequisites.last_mut()) {
            last.1 = Some(format!("article {}", id.trim_start_matches("KB")));
            piece.used = true;
        }
    }

    fn take_restart(&mut self, piece: &mut Piece) {
        let lower = piece.text.to_ascii_lowercase();
        // A service is restarted, too, and what one may have to do is not what one has to.
        let computer = lower.contains("computer")
            && !["if ", "unless", "may ", "might "].iter().any(|word| lower.contains(word));
        if computer && lower.contains("do not have to restart") {
            self.computer_restarts = Some(false);
            piece.used = true;
        } else if computer
            && (lower.contains("must restart") || lower.contains("you have to restart"))
        {
            self.computer_restarts = Some(true);
            piece.used = true;
        } else if piece.text.starts_with(['•', '-', '*']) {
            let name = piece.text.trim_start_matches(['•', '-', '*', ' ']);
            self.services.push(name.to_owned());
            piece.used = true;
        }
    }

    /// `This problem was first corrected in Exchange Server 5.5 Service Pack 4.`, also broken over two lines.
    fn take_level(&mut self, piece: &mut Piece) {
        let begun = std::mem::take(&mut self.corrected);
        let rest = after(&piece.text, "first corrected in");
        let level = match rest {
            Some(rest) => Level::parse(rest),
            None if begun => {
                after(&piece.text, "pack").and_then(|number| Level::parse(&format!("SP{number}")))
            }
            None => return,
        };
        self.corrected = rest.is_some() && level.is_none();
        piece.used |= level.is_some();
        self.fixed_level = self.fixed_level.or(level);
    }

    /// `Last Reviewed:6/1/2006` stands at the end of some.
    fn take_review(&mut self, piece: &mut Piece) {
        if let Some(date) = after(&piece.text, "last reviewed:")
            && self.revision.is_none()
        {
            self.revision = Some(format!("last reviewed {}", date.trim()));
            piece.used = true;
        }
    }

    fn take_registry(&mut self, piece: &mut Piece) {
        if let Some(at) = piece.text.find("HKEY_") {
            let key = piece.text.get(at..).unwrap_or_default();
            let ends = [" Note ", " Value ", ". ", "\""];
            let end = ends.iter().filter_map(|end| key.find(end)).min().unwrap_or(key.len());
            let key = key.get(..end).unwrap_or(key).trim().trim_end_matches('.').to_owned();
            self.registry.get_or_insert_with(Registry::default).key = key;
        }
        let Some(registry) = &mut self.registry else { return };
        if let Some(name) = after(&piece.text, "value name") {
            let lower = name.to_ascii_lowercase();
            let end = lower.find(" value ").unwrap_or(name.len());
            registry.value = name.get(..end).map(|name| name.trim().to_owned());
        }
        if let Some(kind) = after(&piece.text, "value type") {
            registry.kind = kind.split_whitespace().next().map(str::to_owned);
        }
        if let Some(rest) = after(&piece.text, "set this registry value to") {
            let on = rest.trim_start_matches('"');
            let end = on.find(['"', ' ', '.']).unwrap_or(on.len());
            registry.on = on.get(..end).map(str::to_owned).filter(|on| !on.is_empty());
        }
    }

    fn take_keywords(&mut self, piece: &mut Piece) {
        if let Some(words) = after(&piece.text, "keywords") {
            self.hotfix |= words.to_ascii_lowercase().contains("hotfix");
            let own = words.split([' ', ',']).find(|word| word.starts_with("KB"));
            if let Some(id) = own.and_then(number) {
                self.id.get_or_insert(id);
            }
        }
    }

    /// `836993 How to obtain ...`, `Q237174 XIMS: ...`: another article with its title.
    fn take_citation(&mut self, piece: &mut Piece) {
        if piece.used {
            return;
        }
        if let Some(id) = cited_number(&piece.text) {
            let title = piece.text.split_once([' ', '\u{fffd}']).map_or("", |(_, title)| title);
            self.cited.push((id, title.trim().to_owned()));
            piece.used = true;
        }
    }
}

fn push(names: &mut Vec<String>, name: &str) {
    if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        names.push(name.to_owned());
    }
}

/// The first sentence of some length is the title, unless it is about the archive that the article was saved from.
fn is_title(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let about = ["notice", "archive", "disclaimer", "article", "view products", "wiki", "back to"];
    text.split_whitespace().count() >= 4
        && !about.iter().any(|word| lower.contains(word))
        && !lower.contains("owned by")
}
