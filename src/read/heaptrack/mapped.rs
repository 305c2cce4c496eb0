//! A raw file's modules: what lay where. It lists all of them anew whenever that may have changed, so that a list
//! takes the place of the one before once something else follows.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use super::fields::Fields;
use super::frames::ENTRY;
use super::passed::{FULL, Passed, UNREADABLE};
use crate::event::{Address, Bytes, Frame, Module, ModuleId, Trust, What};
use crate::read::room::Room;

/// A loaded part of a module.
#[derive(Clone, Copy, Debug)]
struct Part {
    end: u64,
    module: ModuleId,
    /// What the module's own addresses are moved by.
    bias: u64,
}

/// Where a module lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    base: u64,
    listed: bool,
}

/// So many loaded parts are kept at a time: each module has a few.
const MOST_PARTS: usize = 1 << 20;

/// The modules.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    /// By first address.
    parts: BTreeMap<u64, Part>,
    places: BTreeMap<Box<str>, Place>,
    ids: FxHashMap<Box<str>, ModuleId>,
    listing: bool,
}

impl Mapped {
    /// Takes a line's fields: `m - ` begins a list, `m PATH BIAS (ADDRESS SIZE)...` is one of it; `x` stands for
    /// the program.
    pub(super) fn line(
        &mut self,
        mut fields: Fields<'_>,
        program: &str,
        room: &mut Room,
        tell: &mut dyn FnMut(What),
    ) -> Passed {
        let path = fields.word().ok_or(UNREADABLE)?;
        if path == "-" {
            self.parts.clear();
            self.places.values_mut().for_each(|place| place.listed = false);
            self.listing = true;
            return Ok(());
        }
        let path = if path == "x" { program.to_owned() } else { path };
        let bias = fields.number().ok_or(UNREADABLE)?;
        let mut parts = Vec::new();
        while let (Some(address), Some(size)) = (fields.number(), fields.number()) {
            let start = bias.wrapping_add(address);
            parts.push((start, start.saturating_add(size)));
        }
        if self.parts.len() + parts.len() > MOST_PARTS {
            return Err("a module was passed over: too many parts of modules are loaded");
        }
        if !self.ids.contains_key(path.as_str()) && !room.take(3 * (ENTRY + path.len())) {
            return Err(FULL);
        }
        let next = ModuleId(self.ids.len() as u32);
        let module = *self.ids.entry(path.as_str().into()).or_insert(next);
        for (start, end) in &parts {
            self.parts.insert(*start, Part { end: *end, module, bias });
        }
        let base = parts.iter().map(|(start, _)| *start).min().unwrap_or(bias);
        let end = parts.iter().map(|(_, end)| *end).max().unwrap_or(base);
        let old = self.places.insert(path.as_str().into(), Place { base, listed: true });
        if let Some(old) = old.filter(|old| old.base != base) {
            tell(What::ModuleUnload(Address(old.base)));
        }
        if old.is_none_or(|old| old.base != base) {
            let identity = ModuleIdentity::of_path(&path);
            let size = Bytes(end.saturating_sub(base));
            tell(What::Module(Box::new(Module {
                id: module,
                identity,
                base: Address(base),
                size,
            })));
        }
        Ok(())
    }

    /// Something other than a module came: whatever the list left out is gone.
    #[inline]
    pub(super) fn listed(&mut self, tell: &mut dyn FnMut(What)) {
        if self.listing {
            self.listing = false;
            self.places.retain(|_, place| {
                if !place.listed {
                    tell(What::ModuleUnload(Address(place.base)));
                }
                place.listed
            });
        }
    }

    /// The frame of an instruction that lies one byte before the return address.
    pub(super) fn returning(&self, address: u64) -> Frame {
        let frame = self.frame(address);
        Frame { offset: frame.offset.wrapping_add(1), ..frame }
    }

    /// The frame of a return address.
    pub(super) fn frame(&self, address: u64) -> Frame {
        let part =
            self.parts.range(..=address).next_back().filter(|(_, part)| address < part.end.max(1));
        let (module, bias) = part.map_or((None, 0), |(_, part)| (Some(part.module), part.bias));
        Frame { module, offset: address.wrapping_sub(bias), trust: Trust::Recorded }
    }
}
