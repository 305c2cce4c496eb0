//! A profile of pprof: `profile.proto` of <https://github.com/google/pprof>, gzip'd. A sample for each site, with
//! blocks and bytes, allocated and in use; modules are mappings with their build ids, inlined functions lines of one
//! location. Several processes stand in one profile, told apart by the labels `process` and `pid`.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use rustc_hash::FxHashMap;

use super::protobuf::Message;
use super::sums::{Sums, chosen, process};
use super::{ExportError, Exported};
use crate::event::{Frame, ModuleId, Trust};
use crate::ledger::{Image, Ledger};
use crate::names::Namer;
use crate::read::trace::Header;
use crate::report::stacks::{Step, name};

/// The fields of `Profile`.
mod profile {
    pub(super) const SAMPLE_TYPE: u32 = 1;
    pub(super) const SAMPLE: u32 = 2;
    pub(super) const MAPPING: u32 = 3;
    pub(super) const LOCATION: u32 = 4;
    pub(super) const FUNCTION: u32 = 5;
    pub(super) const STRING: u32 = 6;
    pub(super) const TIME_NANOS: u32 = 9;
    pub(super) const DURATION_NANOS: u32 = 10;
    pub(super) const DEFAULT_SAMPLE_TYPE: u32 = 14;
}

/// What is counted, and in what unit.
const TYPES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// Writes a ledger's sites; of all processes, or of the one with this pid.
///
/// # Errors
/// No process has the pid, or writing failed.
pub fn pprof(
    ledger: &Ledger,
    header: &Header,
    pid: Option<u32>,
    namer: &mut Namer,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let (sites, exported) = chosen(ledger, pid)?;
    let mut tables = Tables::new(ledger);
    let mut message = Message::default();
    for (kind, unit) in TYPES {
        let [kind, unit] = [kind, unit].map(|text| tables.text(text));
        let value_type = Message::default().integer(1, kind).integer(2, unit);
        message = message.message(profile::SAMPLE_TYPE, value_type);
    }
    for (_, site, image) in sites {
        let sums = Sums::of(ledger, site);
        let values = [sums.allocations, sums.allocated_bytes, sums.live_blocks, sums.live_bytes];
        let locations: Vec<u64> = ledger
            .stacks()
            .frames(site.stack)
            .map(|frame| tables.location(*frame, image, namer))
            .collect();
        let (name, pid) = process(image);
        let [process, of, number] = ["process", name, "pid"].map(|text| tables.text(text));
        let mut sample = Message::default()
            .integers(1, &locations)
            .integers(2, &values)
            .message(3, Message::default().integer(1, process).integer(2, of));
        // Some evidence has no number for it.
        if pid != 0 {
            let number = Message::default().integer(1, number).integer(3, pid.into());
            sample = sample.message(3, number);
        }
        message = message.message(profile::SAMPLE, sample);
    }
    let default = tables.text("inuse_space");
    let started = u64::try_from(header.started_unix_ns).unwrap_or(0);
    let message = tables
        .write(message)
        .integer(profile::TIME_NANOS, started)
        .integer(profile::DURATION_NANOS, ledger.now().0)
        .integer(profile::DEFAULT_SAMPLE_TYPE, default);
    // No time and no name in the header: the same events give the same bytes.
    let mut packed = GzBuilder::new().mtime(0).write(out, Compression::default());
    packed.write_all(&message.into_bytes())?;
    packed.finish()?.flush()?;
    Ok(exported)
}

/// What samples refer to by number. Numbers count from 1, those of texts from 0, which is the empty one.
struct Tables<'a> {
    ledger: &'a Ledger,
    texts: BTreeMap<String, u64>,
    in_order: Vec<String>,
    functions: FxHashMap<(u64, u64), u64>,
    mappings: FxHashMap<ModuleId, u64>,
    /// Where the modules of [`Tables::mappings`] begin.
    bases: FxHashMap<ModuleId, u64>,
    locations: FxHashMap<Frame, u64>,
    written: Message,
}

impl<'a> Tables<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        let mut tables = Tables {
            ledger,
            texts: BTreeMap::new(),
            in_order: Vec::new(),
            functions: FxHashMap::default(),
            mappings: FxHashMap::default(),
            bases: FxHashMap::default(),
            locations: FxHashMap::default(),
            written: Message::default(),
        };
        tables.text("");
        tables
    }

    fn text(&mut self, text: &str) -> u64 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.in_order.len() as u64;
        self.texts.insert(text.to_owned(), number);
        self.in_order.push(text.to_owned());
        number
    }

    fn add(&mut self, field: u32, message: Message) {
        self.written = std::mem::take(&mut self.written).message(field, message);
    }

    fn location(&mut self, frame: Frame, image: &Image, namer: &mut Namer) -> u64 {
        if let Some(number) = self.locations.get(&frame) {
            return *number;
        }
        let steps = name(self.ledger, namer, frame);
        let mapping = frame.module.map_or(0, |module| self.mapping(module, &steps, image));
        let base = frame.module.and_then(|module| self.bases.get(&module)).copied().unwrap_or(0);
        let address = match frame.trust {
            Trust::Named => 0,
            _ => base.wrapping_add(frame.offset),
        };
        let number = self.locations.len() as u64 + 1;
        let mut location =
            Message::default().integer(1, number).integer(2, mapping).integer(3, address);
        for step in steps.iter().filter(|step| step.function().is_some()) {
            let line = step.name().and_then(|name| name.line).unwrap_or(0);
            let function = self.function(step);
            let line = Message::default().integer(1, function).integer(2, line.into());
            location = location.message(4, line);
        }
        self.add(profile::LOCATION, location);
        self.locations.insert(frame, number);
        number
    }

    fn function(&mut self, step: &Step<'_>) -> u64 {
        let file = step.name().and_then(|name| name.file.as_deref()).unwrap_or("");
        let [function, file] = [step.function().unwrap_or(""), file].map(|text| self.text(text));
        if let Some(number) = self.functions.get(&(function, file)) {
            return *number;
        }
        let number = self.functions.len() as u64 + 1;
        self.functions.insert((function, file), number);
        let message = Message::default()
            .integer(1, number)
            .integer(2, function)
            .integer(3, function)
            .integer(4, file);
        self.add(profile::FUNCTION, message);
        number
    }

    /// A module, where the first process of whose stacks it is has it.
    fn mapping(&mut self, module: ModuleId, steps: &[Step<'_>], image: &Image) -> u64 {
        if let Some(number) = self.mappings.get(&module) {
            return *number;
        }
        let number = self.mappings.len() as u64 + 1;
        self.mappings.insert(module, number);
        let mapped = image.mappings().iter().find(|mapping| mapping.module == module);
        let (base, size) = mapped.map_or((0, 0), |mapped| (mapped.base.0, mapped.size.0));
        self.bases.insert(module, base);
        let identity = steps.iter().find_map(|step| step.module);
        let path = identity.map_or("", |identity| match identity.path.as_str() {
            "" => identity.name.as_str(),
            path => path,
        });
        let pdb = identity.and_then(|identity| identity.pdb.as_ref());
        let pdb = pdb.map(|pdb| format!("{}{:x}", pdb.guid, pdb.age));
        let build = identity.and_then(|identity| identity.build_id.clone()).or(pdb);
        let [path, build] = [path, build.as_deref().unwrap_or("")].map(|text| self.text(text));
        // All is named that can be: pprof need not look for symbols itself.
        let mapping = Message::default()
            .integer(1, number)
            .integer(2, base)
            .integer(3, base.wrapping_add(size))
            .integer(5, path)
            .integer(6, build)
            .flag(7, true)
            .flag(8, true)
            .flag(9, true)
            .flag(10, true);
        self.add(profile::MAPPING, mapping);
        number
    }

    fn write(self, profile: Message) -> Message {
        let mut bytes = profile.into_bytes();
        bytes.extend(self.written.into_bytes());
        let all = Message::from(bytes);
        self.in_order.iter().fold(all, |all, text| all.bytes(profile::STRING, text.as_bytes()))
    }
}
