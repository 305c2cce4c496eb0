//! An interpreted file's texts and frames: every text stands once, and a frame refers to its module's path, its
//! functions and their files by number. Numbers count from 1; 0 is none. Where a module lay is not said, so an
//! instruction's address tells frames apart and can be looked up nowhere.

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use super::fields::Fields;
use crate::event::{Address, Bytes, Frame, Module, ModuleId, Name, NamedFunction, Trust, What};

/// Texts and the frames made of them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    texts: Vec<Box<str>>,
    frames: Vec<Option<Frame>>,
    modules: FxHashMap<u64, ModuleId>,
}

impl Frames {
    /// Takes the next text; one that cannot be read keeps its number.
    pub(super) fn text(&mut self, text: Option<String>) {
        self.texts.push(text.unwrap_or_default().into());
    }

    /// The first text, if it is a whole path.
    pub(super) fn first_path(&self) -> Option<&str> {
        self.texts.first().map(|text| &**text).filter(|text| text.starts_with('/'))
    }

    /// Takes the next frame from its line's fields, and tells what is new by it; false where it cannot be read.
    /// It keeps its number all the same.
    pub(super) fn frame(&mut self, fields: Fields<'_>, tell: &mut dyn FnMut(What)) -> bool {
        let frame = self.read(fields, tell);
        self.frames.push(frame);
        frame.is_some()
    }

    /// A frame by its number.
    pub(super) fn get(&self, number: u64) -> Option<Frame> {
        *self.frames.get(usize::try_from(number.checked_sub(1)?).ok()?)?
    }

    /// `i ADDRESS MODULE [FUNCTION [FILE LINE [FUNCTION FILE LINE]...]]`: the innermost inlined function first.
    fn read(&mut self, mut fields: Fields<'_>, tell: &mut dyn FnMut(What)) -> Option<Frame> {
        let address = fields.number()?;
        let module = fields.number()?;
        let mut functions = Vec::new();
        while let Some(function) = fields.number() {
            let (file, line) = (fields.number(), fields.number());
            let Some(function) = self.lookup(function) else { continue };
            functions.push(NamedFunction {
                function: function.to_owned(),
                file: file.and_then(|file| self.lookup(file)).map(str::to_owned),
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
