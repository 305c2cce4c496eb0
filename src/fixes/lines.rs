//! The product lines of an entry: from their text to versions that compare. Refuses versions
//! that their scheme cannot read, that lie outside the line they are in, or that contradict
//! each other, because a match would then rest on nothing.

use super::document::{DocumentFile, DocumentLine, NOT_STATED};
use super::entry::{End, Line, LineFile};
use super::findings::Findings;
use super::product::Level;
use super::version::{Scheme, Version};

/// Converts all lines; what cannot be converted is left out and found fault with.
pub(super) fn convert(lines: &[DocumentLine], findings: &mut Findings<'_>) -> Vec<Line> {
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| convert_line(line, &format!("lines.{at}"), findings))
        .collect()
}

fn convert_line(line: &DocumentLine, key: &str, findings: &mut Findings<'_>) -> Line {
    if line.product.trim().is_empty() {
        findings.add(&format!("{key}.product"), "name the product");
    }
    match (line.scheme, &line.distribution) {
        (Scheme::Debian | Scheme::Rpm, None) => {
            let text = "a package's version means something only within its distribution: \
                        `distribution = \"debian 12\"`";
            findings.add(&format!("{key}.scheme"), text);
        }
        (Scheme::Windows | Scheme::Dotted | Scheme::Semver, Some(_)) => {
            let text = "`distribution` belongs to `scheme = \"debian\"` and `\"rpm\"`";
            findings.add(&format!("{key}.distribution"), text);
        }
        _ => {}
    }
    let mut level = |name: String, text: &String| {
        let level = Level::parse(text);
        if level.is_none() {
            findings.add(&name, format!("`{text}` is no level; write `SP3` or `no service pack`"));
        }
        level
    };
    let levels = (0..).zip(&line.levels);
    let levels =
        levels.filter_map(|(at, text): (usize, _)| level(format!("{key}.levels.{at}"), text));
    let levels = levels.collect();
    let fixed_level =
        line.fixed_level.as_ref().and_then(|text| level(format!("{key}.fixed_level"), text));
    if line.files.is_empty() && line.fixed_level.is_none() {
        let text =
            "a line needs `files` or a `fixed_level`: without either no version can be judged";
        findings.add(&format!("{key}.product"), text);
    }
    let files = line.files.iter().enumerate();
    let files = files.filter_map(|(at, file)| {
        convert_file(file, line.scheme, &format!("{key}.files.{at}"), findings)
    });
    Line {
        product: line.product.clone(),
        scheme: line.scheme,
        distribution: line.distribution.clone(),
        platform: line.platform.clone(),
        levels,
        fixed_level,
        files: files.collect(),
    }
}

fn convert_file(
    file: &DocumentFile,
    scheme: Scheme,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<LineFile> {
    if file.name.trim().is_empty() || file.name.contains(['/', '\\']) {
        findings.add(&format!("{key}.name"), "a file's name, without directories");
    }
    for (name, builds) in
        [("affected_builds", &file.affected_builds), ("fixed_builds", &file.fixed_builds)]
    {
        let wrong = |id: &&String| {
            id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
        };
        if let Some(id) = builds.iter().find(wrong) {
            findings.add(
                &format!("{key}.{name}"),
                format!("`{id}` is no build-id; lower-case hexadecimal"),
            );
        }
    }
    if file.affected_builds.iter().any(|id| file.fixed_builds.contains(id)) {
        findings.add(&format!("{key}.fixed_builds"), "one build cannot have the fault and the fix");
    }
    if matches!(scheme, Scheme::Debian | Scheme::Rpm) && file.line.is_some() {
        let text = "`line` belongs to file and release numbers; a distribution is a line by itself";
        findings.add(&format!("{key}.line"), text);
    }
    let line = match &file.line {
        Some(text) => Some(version(text, scheme, &format!("{key}.line"), findings)?),
        None => None,
    };
    let mut bound = |text: &str, name: &str| -> Result<Option<Version>, ()> {
        if text == NOT_STATED {
            return Ok(None);
        }
        let key = format!("{key}.{name}");
        let found = version(text, scheme, &key, findings).ok_or(())?;
        if line.as_ref().is_some_and(|line| belongs(&found, line) != Some(true)) {
            let text = format!("{found} is not of this file's line; see its key `line`");
            findings.add(&key, text);
        }
        Ok(Some(found))
    };
    let from = bound(&file.affected.from, "affected.from").ok()?;
    let seen_from = file.affected.seen_from.as_deref();
    let seen_from = seen_from.map(|text| bound(text, "affected.seen_from")).transpose().ok()?;
    let before = file.affected.before.as_deref();
    let before = before.map(|text| bound(text, "affected.before")).transpose().ok()?;
    let through = file.affected.through.as_deref();
    let through = through.map(|text| bound(text, "affected.through")).transpose().ok()?;
    let fixed = bound(&file.fixed, "fixed").ok()?;
    let end = match (before, through) {
        (Some(Some(version)), None) => End::Before(version),
        (None, Some(Some(version))) => End::Through(version),
        (Some(None), None) | (None, Some(None)) => End::NotStated,
        _ => {
            let text = "a range ends with either `before` or `through`: a version, or `not stated`";
            findings.add(&format!("{key}.affected"), text);
            return None;
        }
    };
    let seen_from = match seen_from {
        None => None,
        Some(Some(version)) if from.is_none() && end != End::NotStated => Some(version),
        Some(_) => {
            let text = "`seen_from` is the oldest version that was seen to have the fault: it goes with `from = \"not stated\"` and a \
                        stated end";
            findings.add(&format!("{key}.affected.seen_from"), text);
            return None;
        }
    };
    let first = from.as_ref().or(seen_from.as_ref());
    let (last, fix) = (end.version(), fixed.as_ref());
    for (low, high) in [(first, last), (first, fix), (last, fix)] {
        if let (Some(low), Some(high)) = (low, high)
            && order(low, high).is_some_and(std::cmp::Ordering::is_gt)
        {
            findings.add(&format!("{key}.affected"), format!("{low} comes after {high}"));
        }
    }
    Some(LineFile {
        name: file.name.clone(),
        line,
        from,
        seen_from,
        end,
        fixed,
        provenance: file.provenance,
        fixed_size: file.fixed_size,
        affected_builds: file.affected_builds.clone(),
        fixed_builds: file.fixed_builds.clone(),
    })
}

impl End {
    fn version(&self) -> Option<&Version> {
        match self {
            End::Before(version) | End::Through(version) => Some(version),
            End::NotStated => None,
        }
    }
}

fn version(text: &str, scheme: Scheme, key: &str, findings: &mut Findings<'_>) -> Option<Version> {
    let version = scheme.parse(text);
    if version.is_none() {
        let example = scheme.example();
        let text =
            format!("`{text}` is no version here; write one like `{example}`, or `{NOT_STATED}`");
        findings.add(key, text);
    }
    version
}

/// Whether a version has a line's leading parts; `None` where it has too few parts to say.
pub(super) fn belongs(version: &Version, line: &Version) -> Option<bool> {
    match (version, line) {
        (Version::Windows(version), Version::Windows(line)) => version.begins_with(line),
        (Version::Dotted(version), Version::Dotted(line)) => Some(version.begins_with(line)),
        (Version::Semver(version), Version::Semver(line)) => Some(version.begins_with(line)),
        (Version::Debian(_), Version::Debian(_)) | (Version::Rpm(_), Version::Rpm(_)) => Some(true),
        _ => None,
    }
}

fn order(a: &Version, b: &Version) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Version::Windows(a), Version::Windows(b)) => Some(a.cmp(b)),
        (Version::Dotted(a), Version::Dotted(b)) => Some(a.cmp(b)),
        (Version::Debian(a), Version::Debian(b)) => Some(a.cmp(b)),
        (Version::Rpm(a), Version::Rpm(b)) => Some(a.cmp(b)),
        (Version::Semver(a), Version::Semver(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
