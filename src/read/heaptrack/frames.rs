//! An interpreted file's texts and frames: every text stands once, and a frame refers to its module's path, its
//! functions and their files by number. Numbers count from 1; 0 is none. Where a module lay is not said, so an
//! instruction's address tells frames apart and can be looked up nowhere.

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use super::fields::Fields;
use super::passed::{FULL, Passed, UNREADABLE};
use crate::event::{Address, Bytes, Frame, Module, ModuleId, Name, NamedFunction, Trust, What};
use crate::read::room::Room;

/// What a definition takes besides its text.
pub(super) const ENTRY: usize = 64;

/// Texts and the frames made of them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    texts: Vec<Box<str>>,
    frames: Vec<Option<Frame>>,
    modules: FxHashMap<u64, ModuleId>,
}

impl Frames {
    /// Takes the next text; one that cannot be read keeps its number.
    pub(super) fn text(&mut self, text: Option<String>, room: &mut Room) -> Passed {
        let read = text.is_some();
        let text = text.unwrap_or_default();
        if !room.take(ENTRY + text.len()) {
            return Err(FULL);
        }
        self.texts.push(text.into());
        if read { Ok(()) } else { Err(UNREADABLE) }
    }

    /// The first text, if it is a whole path.
    pub(super) fn first_path(&self) -> Option<&str> {
        self.texts.first().map(|text| &**text).filter(|text| text.starts_with('/'))
    }

    /// Takes the next frame from its line's fields, and tells what is new by it. One that cannot be read keeps its
    /// number.
    pub(super) fn frame(
        &mut self,
        fields: Fields<'_>,
        room: &mut Room,
        tell: &mut dyn FnMut(What),
    ) -> Passed {
        if !room.take(ENTRY) {
            return Err(FULL);
        }
        let frame = self.read(fields, room, tell);
        self.frames.push(frame);
        if room.is_full() {
            return Err(FULL);
        }
        frame.map_or(Err(UNREADABLE), |_| Ok(()))
    }

    /// A frame by its number.
    pub(super) fn get(&self, number: u64) -> Option<Frame> {
        *self.frames.get(usize::try_from(number.checked_sub(1)?).ok()?)?
    }

    /// `i ADDRESS MODULE [FUNCTION [FILE LINE [FUNCTION FILE LINE]...]]`: the innermost inlined function first.
    fn read(
        &mut self,
        mut fields: Fields<'_>,
        room: &mut Room,
        tell: &mut dyn FnMut(What),
    ) -> Option<Frame> {
        let address = fields.number()?;
        let module = fields.number()?;
        let mut functions = Vec::new();
        while let Some(function) = fields.number() {
            let (file, line) = (fields.number(), fields.number());
            let Some(function) = self.lookup(function) else { continue };
            let file = file.and_then(|file| self.lookup(file));
            // One line can name a long text a hundred thousand times.
            if !room.take(ENTRY + function.len() + file.map_or(0, str::len)) {
                return None;
            }
            functions.push(NamedFunction {
                function: function.to_owned(),
                file: file.map(str::to_owned),
                line: line.and_then(|line| u32::try_from(line).ok()).filter(|line| *line != 0),
            });
        }
        let Some(path) = self.lookup(module) else {
            return Some(Frame { module: None, offset: address, trust: Trust::Recorded });
        };
        let next = ModuleId(self.modules.len() as u32);
        let id = match self.modules.get(&module) {
            Some(id) => *id,
            None => {
                if !room.take(ENTRY + 2 * path.len()) {
                    return None;
                }
                let identity = ModuleIdentity::of_path(path);
                let (base, size) = (Address(0), Bytes(0));
                tell(What::Module(Box::new(Module { id: next, identity, base, size })));
                self.modules.insert(module, next);
                next
            }
        };
        if functions.is_empty() {
            return Some(Frame { module: Some(id), offset: address, trust: Trust::Named });
        }
        let offset = Frame::NAMED | address;
        tell(What::Name(Box::new(Name { module: id, offset, functions })));
        Some(Frame { module: Some(id), offset, trust: Trust::Named })
    }

    fn lookup(&self, number: u64) -> Option<&str> {
        let text = self.texts.get(usize::try_from(number.checked_sub(1)?).ok()?)?;
        (!text.is_empty()).then_some(text)
    }
}
