//! From the text of a file to an [`Entry`], or to every problem that is in the way. Reads no
//! files. Nothing is repaired: an entry is whole, or it is refused.

use std::path::Path;

use super::document::{Document, NOT_STATED};
use super::entry::{Check, Crash, Entry, Origin, RemedyKind, Signature};
use super::evidence::EvidenceKind;
use super::findings::Findings;
use super::lines;
use super::problem::Problem;

/// The longest file that is read: 64 times the longest entry yet.
pub(super) const MAX_LENGTH: u64 = 512 << 10;

/// Parses and checks one entry. `path` is for the problems, and its name must be the entry's id.
pub(super) fn parse(text: &str, path: &Path, origin: Origin) -> Result<Entry, Vec<Problem>> {
    let mut findings = Findings::new(path, text);
    let document: Document = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            findings.add_error(&error);
            // A draft lacks keys and texts: whoever fills in the one should not have to ask again for the other.
            for key in ["title", "symptom", "cause"] {
                if findings.is_empty_text(key) {
                    findings.add(key, empty_text(key));
                }
            }
            return Err(findings.into_problems());
        }
    };
    findings.refuse_control_characters();
    check_document(&document, path, &mut findings);
    check_signature(&document.signature, &mut findings);
    check_crash(document.crash.as_ref(), document.signature.evidence, &mut findings);
    let lines = lines::convert(&document.lines, &mut findings);
    let problems = findings.into_problems();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Entry {
        id: document.id,
        title: document.title,
        kind: document.kind,
        symptom: document.symptom,
        cause: document.cause,
        applies_to: document.applies_to,
        sources: document.sources,
        signature: document.signature,
        crash: document.crash,
        faulty: document.faulty,
        lines,
        settings: document.settings,
        prerequisites: document.prerequisites,
        restart: document.restart,
        remedy: document.remedy,
        conditions: document.conditions,
        unknowns: document.unknowns,
        backports: document.backports,
        relations: document.relations,
        origin,
    })
}

fn empty_text(key: &str) -> String {
    format!("`{key}` is empty; say it in a sentence of your own")
}

fn check_document(document: &Document, path: &Path, findings: &mut Findings<'_>) {
    let id = &document.id;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        findings.add("id", "an id has 1 to 64 letters, digits, `-`, `_` or `.`");
    } else if path.file_stem().is_none_or(|stem| stem != id.as_str()) {
        findings.add("id", format!("the file of `{id}` must be called `{id}.toml`"));
    }
    for (key, text) in
        [("title", &document.title), ("symptom", &document.symptom), ("cause", &document.cause)]
    {
        if text.trim().is_empty() {
            findings.add(key, empty_text(key));
        }
    }
    if document.title.contains('\n') {
        findings.add("title", "a title is one line");
    }
    if document.sources.is_empty() {
        findings.add("sources", "a fix without a source is a rumour: name at least one");
    }
    let unfixed = matches!(
        document.remedy.kind,
        RemedyKind::None | RemedyKind::Configuration | RemedyKind::CodeChange
    );
    match (document.lines.is_empty(), document.versions.as_deref()) {
        (true, None) if !unfixed => {
            let text = "at least one product line is needed: what is installed can only be judged by versions or \
                        levels. Where the source states none, write `versions = \"not stated\"`";
            findings.add("lines", text);
        }
        (true, Some(NOT_STATED)) | (_, None) => {}
        (true, Some(_)) => findings.add("versions", "write `not stated`, or product lines"),
        (false, Some(_)) => findings.add("versions", "there are product lines; leave it out"),
    }
    for (at, condition) in document.conditions.iter().enumerate() {
        if condition.says.trim().is_empty() {
            findings.add(&format!("conditions.{at}"), "say the condition in a sentence");
        }
        if let Some(Check::Setting { values, .. }) = &condition.check
            && values.is_empty()
        {
            findings.add(&format!("conditions.{at}"), "name the `values` with which it holds");
        }
    }
    for (at, relation) in document.relations.iter().enumerate() {
        if relation.id == document.id {
            findings.add(&format!("relations.{at}.id"), "an entry has no relation to itself");
        }
    }
    for (at, setting) in document.settings.iter().enumerate() {
        if setting.off.contains(&setting.on) {
            let text = format!("`{}` cannot switch the fix on and off", setting.on);
            findings.add(&format!("settings.{at}.off"), text);
        }
    }
    let remedy = &document.remedy;
    if remedy.steps.is_empty() && remedy.kind != RemedyKind::None {
        findings.add("remedy.steps", "say what to do, step by step (or `kind = \"none\"`)");
    }
}

fn check_crash(crash: Option<&Crash>, evidence: EvidenceKind, findings: &mut Findings<'_>) {
    let Some(crash) = crash else {
        if evidence == EvidenceKind::Crash {
            let text = "no dump is held against an entry without a `[crash]` table: write one, if the source states exception, \
                        process and module; else `untraced`, which is told of and never matched";
            findings.add("signature.evidence", text);
        }
        return;
    };
    for (key, empty) in [
        ("crash.exceptions", crash.exceptions.is_empty()),
        ("crash.processes", crash.processes.is_empty()),
        ("crash.modules", crash.modules.is_empty()),
    ] {
        if empty {
            findings.add(key, "name at least one: without it the crash would fit almost anything");
        }
    }
}

fn check_signature(signature: &Signature, findings: &mut Findings<'_>) {
    let modules = signature.modules.as_ref();
    let seen = signature.evidence != EvidenceKind::Untraced;
    if seen && modules.is_none() && signature.frames.iter().all(|step| step.common) {
        let text = "a signature needs `modules`, or a step in `frames` that is not `common`: \
                    without either it would fit almost anything";
        findings.add("signature", text);
    }
    if modules.is_some_and(|modules| modules.any.is_empty()) {
        findings.add("signature.modules.any", "name at least one module");
    }
    for (at, step) in signature.frames.iter().enumerate() {
        if step.any.is_empty() || step.any.iter().any(|name| name.trim().is_empty()) {
            let key = format!("signature.frames.{at}.any");
            findings.add(&key, "name at least one function, without arguments");
        }
    }
    if signature.ordered && signature.frames.len() < 2 {
        findings.add("signature.ordered", "`ordered` needs at least two steps in `frames`");
    }
    if signature.bytes.as_ref().is_some_and(|bytes| bytes.min > bytes.max) {
        findings.add("signature.bytes.min", "`min` must not be greater than `max`");
    }
    if let Some(blocks) = &signature.blocks {
        // Written so that a NaN fails it too.
        if !(0.0 <= blocks.min && blocks.min <= blocks.max && blocks.max.is_finite()) {
            let text = "`min` and `max` are finite, not negative, and in this order";
            findings.add("signature.blocks.min", text);
        }
    }
}
