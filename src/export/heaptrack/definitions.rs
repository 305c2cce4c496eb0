//! Texts, frames and stacks as the file defines them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use rustc_hash::FxHashMap;

use crate::event::{Frame, StackId, StackNode};
use crate::ledger::Ledger;
use crate::names::Namer;
use crate::report::stacks::{Step, name};

/// A text within a line.
pub(super) fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Texts, frames and stacks, each written before what refers to it. All count from 1.
pub(super) struct Definitions<'a> {
    pub(super) out: &'a mut dyn Write,
    ledger: &'a Ledger,
    texts: BTreeMap<String, u64>,
    frames: FxHashMap<Result<Frame, StackId>, u64>,
    traces: FxHashMap<StackId, u64>,
}

impl<'a> Definitions<'a> {
    /// None yet, of what a ledger knows.
    pub(super) fn new(out: &'a mut dyn Write, ledger: &'a Ledger) -> Self {
        let (texts, frames, traces) = (BTreeMap::new(), FxHashMap::default(), FxHashMap::default());
        Definitions { out, ledger, texts, frames, traces }
    }

    fn text(&mut self, text: &str) -> io::Result<u64> {
        if let Some(number) = self.texts.get(text) {
            return Ok(*number);
        }
        let number = self.texts.len() as u64 + 1;
        self.texts.insert(text.to_owned(), number);
        let text = line(text);
        writeln!(self.out, "s {:x} {text}", text.len())?;
        Ok(number)
    }

    /// A stack, outermost frame first. One that is not known is a frame that says so.
    pub(super) fn trace(
        &mut self,
        stack: StackId,
        nodes: &[StackNode],
        namer: &mut Namer,
    ) -> io::Result<u64> {
        let mut unwritten = Vec::new();
        let mut at = stack;
        let mut caller = loop {
            if let Some(trace) = self.traces.get(&at) {
                break *trace;
            }
            match nodes.get((at.0.wrapping_sub(StackId::FIRST.0)) as usize) {
                Some(node) if !at.is_root() => {
                    unwritten.push((at, Ok(node.frame)));
                    at = if node.caller < at { node.caller } else { StackId::LOST };
                }
                _ if at == StackId::COMPLETE && at != stack => break 0,
                _ => {
                    unwritten.push((at, Err(at)));
                    break 0;
                }
            }
        };
        while let Some((at, frame)) = unwritten.pop() {
            let frame = self.frame(frame, namer)?;
            writeln!(self.out, "t {frame:x} {caller:x}")?;
            caller = self.traces.len() as u64 + 1;
            self.traces.insert(at, caller);
        }
        Ok(caller)
    }

    /// A frame, or what stands for a root.
    fn frame(&mut self, frame: Result<Frame, StackId>, namer: &mut Namer) -> io::Result<u64> {
        if let Some(number) = self.frames.get(&frame) {
            return Ok(*number);
        }
        let line = match frame {
            Ok(frame) => self.named(frame, namer)?,
            Err(root) => format!("i 0 0 {:x}", self.text(missing(root))?),
        };
        writeln!(self.out, "{line}")?;
        let number = self.frames.len() as u64 + 1;
        self.frames.insert(frame, number);
        Ok(number)
    }

    fn named(&mut self, frame: Frame, namer: &mut Namer) -> io::Result<String> {
        let steps: Vec<Step<'_>> = name(self.ledger, namer, frame);
        let module = steps.first().and_then(|step| step.module).map(|module| module.path.clone());
        let module =
            module.filter(|path| !path.is_empty()).map_or(Ok(0), |path| self.text(&path))?;
        let mut line = format!("i {:x} {module:x}", self.address(frame));
        for step in &steps {
            let Some(function) = step.function() else { continue };
            let function = self.text(function)?;
            let of = step.name();
            let file =
                of.and_then(|of| of.file.as_deref()).map_or(Ok(0), |file| self.text(file))?;
            let number = of.and_then(|of| of.line).unwrap_or(0);
            line += &format!(" {function:x} {file:x} {number:x}");
        }
        Ok(line)
    }

    /// Where the frame was, as far as is known; a number that tells it from others where it is not.
    fn address(&self, frame: Frame) -> u64 {
        let mappings = self.ledger.images().iter().flat_map(|image| image.mappings());
        let mapped = mappings
            .filter(|mapping| Some(mapping.module) == frame.module)
            .map(|mapping| mapping.base.0)
            .next();
        mapped.unwrap_or(0).wrapping_add(frame.offset)
    }
}

/// What stands for the rest of a stack that is not known.
fn missing(root: StackId) -> &'static str {
    match root {
        StackId::TRUNCATED => "(the stack ends early)",
        StackId::NOT_TAKEN => "(no stack was taken)",
        StackId::COMPLETE => "(no caller)",
        _ => "(the stack was lost)",
    }
}
