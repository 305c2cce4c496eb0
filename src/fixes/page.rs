//! The catalogue as a page: every entry with what shows it, what mends it and its sources, in Markdown. `docs/catalogue.md` is
//! this page; a test keeps it current.

use std::fmt::Write as _;

use super::catalogue::Catalogue;
use super::entry::{Entry, LineFile, Read, RemedyKind};
use super::evidence::EvidenceKind;
use super::show::{NEVER_MATCHED, file_in_words};

/// The whole page.
pub fn page(catalogue: &Catalogue) -> String {
    let entries: Vec<&Entry> = catalogue.entries().collect();
    let mut text = String::from(
        "# The catalogue\n\nEvery published fix that unfreed knows, generated from `fixes/*.toml` (`UPDATE_CATALOGUE=1 cargo test --test \
         fixes catalogue` writes this page anew). [fixes.md](fixes.md) says what the words mean and how a match gets its status.\n\n",
    );
    let count = |read| entries.iter().filter(|entry| read_of(entry) == read).count();
    let _ = writeln!(
        text,
        "{} entries: of {} the source was read in full, of {} the change itself, of {} a part.\n",
        entries.len(),
        count(Read::Full),
        count(Read::Diff),
        count(Read::Excerpt)
    );
    let untraced = |entry: &&&Entry| entry.signature.evidence == EvidenceKind::Untraced;
    let _ = writeln!(
        text,
        "{} of them are knowledge only and never matched: they say what looks like a leak and is none, what is the caller's own \
         fault, or what no trace and no dump can show.\n",
        entries.iter().filter(untraced).count()
    );
    text.push_str("| id | what | kind | shows in | fixed |\n|---|---|---|---|---|\n");
    for entry in &entries {
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} | {} | {} |",
            entry.id,
            anchor(&entry.id),
            cell(&entry.title),
            kind(entry),
            cell(&shows_in(entry)),
            cell(&fixed(entry))
        );
    }
    for entry in &entries {
        one(&mut text, entry);
    }
    text
}

fn one(text: &mut String, entry: &Entry) {
    let _ = writeln!(text, "\n## {}\n\n{}\n", entry.id, plain(&entry.title));
    let _ = writeln!(text, "- Symptom: {}", plain(&entry.symptom));
    let _ = writeln!(text, "- Cause: {}", plain(&entry.cause));
    let evidence = entry.signature.evidence;
    let mut trace = vec![format!("in {}", shows_in(entry))];
    for step in &entry.signature.frames {
        trace.push(format!("through {}", step.any.join(" or ")));
    }
    let place = plain(&trace.join(", "));
    let _ = match evidence {
        EvidenceKind::Untraced => {
            writeln!(text, "- Never matched: {NEVER_MATCHED}\n- Where: {place}")
        }
        _ => writeln!(text, "- A trace shows: {}, {place}", evidence.in_words()),
    };
    if let Some(how) = &entry.signature.inferred {
        let _ = writeln!(text, "- Inferred: {}", plain(how));
    }
    for file in entry.lines.iter().flat_map(|line| &line.files) {
        let _ = writeln!(text, "- Versions: {}", plain(&file_in_words(file)));
    }
    let _ = writeln!(text, "- Fixed: {}", plain(&fixed(entry)));
    for condition in &entry.conditions {
        let _ = writeln!(text, "- Only where: {}", plain(&condition.says));
    }
    for unknown in &entry.unknowns {
        let _ = writeln!(text, "- Not known: {}", plain(unknown));
    }
    for relation in &entry.relations {
        let (kind, id) = (relation.kind.in_words(), &relation.id);
        let _ = writeln!(text, "- {} {id}: {}", capital(kind), plain(&relation.says));
    }
    for source in &entry.sources {
        let read = match source.read {
            Read::Full => "read in full",
            Read::Excerpt => "read in part",
            Read::Diff => "the change was read",
            Read::SubjectOnly => "its subject was read",
        };
        let _ = writeln!(text, "- Source ({read}): {}", plain(&source.in_words()));
    }
}

/// How much of an entry was read: by its best source.
fn read_of(entry: &Entry) -> Read {
    let order = [Read::Full, Read::Diff, Read::Excerpt];
    let has = |read: &Read| entry.sources.iter().any(|source| source.read == *read);
    order.into_iter().find(has).unwrap_or(Read::SubjectOnly)
}

fn kind(entry: &Entry) -> String {
    serde_json::to_value(entry.kind)
        .ok()
        .and_then(|v| Some(v.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn shows_in(entry: &Entry) -> String {
    let signature = &entry.signature;
    let mut places = signature.processes.clone();
    for name in signature.modules.iter().flat_map(|modules| &modules.any) {
        if !places.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            places.push(name.clone());
        }
    }
    if places.is_empty() { "any process".to_owned() } else { places.join(", ") }
}

/// What has the fix: files, levels, or what else there is.
fn fixed(entry: &Entry) -> String {
    let mut all = Vec::new();
    for line in &entry.lines {
        all.extend(line.fixed_level.map(|level| format!("{} {level}", line.product)));
        let files = line
            .files
            .iter()
            .filter_map(|file: &LineFile| Some(format!("{} {}", file.name, file.fixed.as_ref()?)));
        all.extend(files);
    }
    if !all.is_empty() {
        return all.join("; ");
    }
    match entry.remedy.kind {
        RemedyKind::None => "nothing mends it".to_owned(),
        RemedyKind::Configuration => "by a setting".to_owned(),
        RemedyKind::CodeChange => "in the caller's code".to_owned(),
        _ => entry.remedy.version.clone().unwrap_or_else(|| "the version is not stated".to_owned()),
    }
}

/// Text within a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// Text that Markdown takes for nothing else: names have underscores, stars and brackets.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if "\\`*_[]<>".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The anchor of a heading, as renderers make it.
fn anchor(id: &str) -> String {
    id.to_lowercase().chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}
