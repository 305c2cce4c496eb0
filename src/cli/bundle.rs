//! The case bundle: everything that support needs, in one archive. The trace in it is written first and analysed again, and the
//! report is made of that: so what is redacted in the trace is redacted in every part, and the case says what the original said,
//! or that it does not.

mod archive;
mod spooled;

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use unfreed::bundle::manifest::{Input, SCHEMA};
use unfreed::bundle::{Manifest, Redactor, fixes, missing, modules};
use unfreed::names::{Namer, Notice};
use unfreed::read::bundle::{FORMAT, TRACE};
use unfreed::report::html::Made;
use unfreed::report::text::page::words;
use unfreed::report::text::units::counted;

use super::aside::Aside;
use super::conclusion::Analyst;
use super::diff::{Side, held_against};
use super::doctor::Environment;
use super::fail::{Failure, Told};
use super::output::{Io, check, shown};
use super::progress::Progress;
use super::report::{Kind, render};
use archive::{Bytes, Content, archive, sum};
use spooled::Spooled;

/// What the user asked for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The recordings.
    pub files: &'a [PathBuf],
    /// An earlier one.
    pub baseline: Option<&'a Path>,
    /// The archive to write.
    pub output: &'a Path,
    /// Whether names are to be replaced.
    pub redact: bool,
    /// Whether the recordings themselves go in.
    pub with_originals: bool,
    /// Whether the recording is one that was made for the case alone: it goes in whole, and is no input that anybody could ask for.
    pub live: bool,
    /// Whether to say nothing.
    pub quiet: bool,
}

fn doing() -> String {
    "cannot write the case".to_owned()
}

/// Writes a case; says whether it has no suspects.
pub fn write(wanted: &Wanted<'_>, analyst: &mut Analyst, io: &Io) -> Result<bool, Failure> {
    let mut redactor = wanted.redact.then(known_here);
    let mut original = Spooled::read(wanted.files, redactor.as_mut(), analyst)?;
    let earlier =
        wanted.baseline.map(|path| Spooled::read(&[path.to_owned()], redactor.as_mut(), analyst));
    let mut earlier = earlier.transpose()?;
    let mut modules_named = original.suspected();
    modules_named.extend(earlier.iter().flat_map(Spooled::suspected));
    for spooled in [Some(&mut original), earlier.as_mut()].into_iter().flatten() {
        spooled.find_names(&modules_named, redactor.as_mut(), analyst);
    }
    let mut notices = analyst.namer.notices();
    let mut environment = Environment::look();
    if let Some(redactor) = &mut redactor {
        environment.texts().for_each(|text| redactor.learn_text(text));
        for Notice { place, what } in &notices {
            redactor.learn_path(place);
            redactor.learn_text(what);
        }
        // What symbols say is in the trace by now, where it is redacted; nobody would redact what they say besides.
        analyst.namer = Namer::default();
    }
    let (mut side, mut trace, kept) = original.keep(!wanted.live, redactor.as_mut(), analyst)?;
    if let Some(mut earlier) = earlier {
        let before = earlier.rewritten(redactor.as_mut(), None, analyst)?.0;
        side.report.baseline = Some(held_against(&before, &side, &mut analyst.namer));
    }
    let inputs = match wanted.live {
        true => Vec::new(),
        false => inputs(wanted, &original.side, redactor.as_mut())?,
    };
    let made = Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: "unfreed analyze case.zip".to_owned(),
        case: None,
    };
    let mut parts = vec![Content::of(TRACE, Bytes::File(trace.try_clone().told(doing)?))?];
    trace.rewind().told(doing)?;
    for (name, kind) in
        [("report.html", Kind::Html), ("report.md", Kind::Markdown), ("report.json", Kind::Json)]
    {
        parts.push(Content::text(name, render(kind, &side, &made, analyst)?)?);
    }
    if let Some(redactor) = &mut redactor {
        // Before lines are broken: half a path is none.
        let texts = notices.iter_mut().flat_map(|notice| [&mut notice.place, &mut notice.what]);
        texts.chain(environment.texts()).for_each(|text| *text = redactor.place(text));
    }
    let environment = format!(
        "The machine on which the case was written; report.json tells of the one that was traced.\n\n{}",
        environment.render()
    );
    let log: String = notices
        .iter()
        .map(|Notice { place, what }| format!("symbols: {place}: {what}\n"))
        .collect();
    parts.push(Content::text("modules.csv", modules(&side.recording.ledger))?);
    parts.push(Content::text("fixes.txt", fixes(&side.report))?);
    parts.push(Content::text("environment.txt", environment)?);
    parts.push(Content::text("log.txt", log)?);
    for (input, path) in inputs.iter().zip(wanted.files) {
        if let Some(part) = &input.part {
            let file = File::open(path).told(doing)?;
            parts.push(Content::of(part, Bytes::File(file))?);
        }
    }
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        parts: parts.iter().map(|part| part.part.clone()).collect(),
        inputs,
        trace: kept,
        missing: missing(&side.report, &side.recording.ledger),
        redacted: redactor.as_ref().map(Redactor::removed),
    };
    let archive = archive(wanted, &manifest, parts, io)?;
    // A case whose key could not be written would be of no use to whoever gets an answer to it.
    let key = redactor.as_ref().map(|redactor| key(wanted, redactor, io)).transpose()?;
    if let Err(failure) = archive.deliver() {
        key.iter().for_each(|key| drop(fs::remove_file(key)));
        return Err(failure);
    }
    if !wanted.quiet {
        for missing in &manifest.missing {
            io.tell(&[words(format!("Missing: {}. {}", missing.what, missing.command))]);
        }
    }
    Ok(side.report.suspects.is_empty())
}

/// A redactor that knows who and where this is.
fn known_here() -> Redactor {
    let of = |keys: &[&str]| keys.iter().filter_map(|key| std::env::var(key).ok()).collect();
    let mut hosts: Vec<String> = of(&["HOSTNAME", "COMPUTERNAME", "USERDOMAIN", "USERDNSDOMAIN"]);
    hosts
        .extend(fs::read_to_string("/proc/sys/kernel/hostname").map(|host| host.trim().to_owned()));
    let users: Vec<String> = of(&["USER", "LOGNAME", "USERNAME", "SUDO_USER", "DOAS_USER"]);
    let mut redactor = Redactor::new(&users, &hosts);
    let homes: Vec<String> = of(&["HOME", "USERPROFILE"]);
    homes.iter().for_each(|home| redactor.learn_path(home));
    redactor
}

/// What the case was made from.
fn inputs(
    wanted: &Wanted<'_>,
    side: &Side,
    mut redactor: Option<&mut Redactor>,
) -> Result<Vec<Input>, Failure> {
    let header = &side.recording.header;
    let mut inputs = Vec::new();
    for (at, path) in wanted.files.iter().enumerate() {
        let file = path.is_file().then(|| File::open(path)).transpose().told(doing)?;
        let summed = |file: File| {
            let size = file.metadata().ok().map(|data| data.len());
            sum(&mut Progress::new(file, "Summing", size), &mut io::sink())
        };
        let sum = file.map(summed).transpose().told(doing)?;
        let (started, pids, utc_offset_minutes) = match side.recording.parts.get(at) {
            Some(part) => (part.started_unix_ns, part.pids.clone(), part.utc_offset_minutes),
            None => {
                let pids = side.report.target.iter().map(|target| target.pid);
                let mut pids: Vec<u32> = pids.filter(|pid| *pid != 0).collect();
                // An exec is another target of the same number.
                pids.dedup();
                let started = Some(header.started_unix_ns).filter(|started| *started > 0);
                (started, pids, header.known_utc_offset())
            }
        };
        let base = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let part = format!("originals/{}-{}", at + 1, plain(&base.unwrap_or_default()));
        let name = path.display().to_string();
        inputs.push(Input {
            name: match &mut redactor {
                Some(redactor) => redactor.recording(&name),
                None => name,
            },
            size: sum.as_ref().map(|(size, _)| *size),
            part: (wanted.with_originals && sum.is_some()).then_some(part),
            sha256: sum.map(|(_, sum)| sum),
            pids,
            started_unix_s: started.map(|started| started as f64 / 1e9),
            utc_offset_minutes,
        });
    }
    Ok(inputs)
}

/// A file's name that means the same to whatever unpacks it: elsewhere a backslash leads out of the directory.
fn plain(name: &str) -> String {
    let plain = |c: char| !c.is_control() && !r#"\/:*?"<>|"#.contains(c);
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// Where the key of a redacted case goes, if nothing is there: without it nobody knows what an earlier case speaks of.
pub fn key_beside(case: &Path) -> Result<PathBuf, Failure> {
    let path = case.with_extension("key.json");
    match path.symlink_metadata() {
        Ok(_) => Err(Failure::new(format!("{} is the key of an earlier case", path.display()))
            .advise("give the new case another name, or move that key to where you will find it")),
        Err(_) => check(&path).map(|()| path),
    }
}

/// Writes the key beside the case; it never goes into it.
fn key(wanted: &Wanted<'_>, redactor: &Redactor, io: &Io) -> Result<PathBuf, Failure> {
    let path = key_beside(wanted.output)?;
    let text = unfreed::report::json::render(&redactor.key()).told(doing)?;
    let mut aside = Aside::create(Some(&path))?;
    aside.file().write_all(text.as_bytes()).told(doing)?;
    aside.deliver()?;
    if !wanted.quiet {
        let removed = redactor.removed();
        let removed: Vec<String> = removed
            .iter()
            .map(|(kind, count)| counted(*count, kind, &format!("{kind}s")))
            .collect();
        io.tell(&[
            words(format!("Replaced: {}. Keep the key to yourself: ", removed.join(", "))),
            shown(&path),
        ]);
    }
    Ok(path)
}
