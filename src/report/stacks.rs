//! Stacks with names: each function on a trace's stack, its module's identity, its name. Inlined
//! functions are frames of their own, in front of the one they were inlined into.

use std::sync::Arc;

use unfreed_symbols::{ModuleIdentity, ModuleOffset, NamedFrame, OffsetKind};

use super::model::StackFrame;
use crate::event::{Frame, StackId, Trust};
use crate::ledger::Ledger;
use crate::names::{FrameSeen, Namer, place};

/// One function on a stack.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The frame as traced.
    pub frame: Frame,
    /// Its module; `None` outside any.
    pub module: Option<&'a ModuleIdentity>,
    /// The functions at the frame, and which of them this is; `None` where nothing is known.
    named: Option<(Arc<[NamedFrame]>, usize)>,
    /// Where the function begins, where only that is known.
    start: Option<ModuleOffset>,
}

impl<'a> Step<'a> {
    /// What is known of the function.
    pub fn name(&self) -> Option<&NamedFrame> {
        self.named.as_ref().and_then(|(functions, at)| functions.get(*at))
    }

    /// The function.
    pub fn function(&self) -> Option<&str> {
        self.name().and_then(|name| name.function.as_deref())
    }

    /// The function, or `module+0xoffset` where it has no name.
    pub fn label(&self) -> String {
        let module = self.module.map(|m| m.name.as_str());
        let place = || match self.frame.trust {
            Trust::Named => format!("{}!?", module.unwrap_or("?")),
            _ => place(module, ModuleOffset(self.frame.offset)),
        };
        self.function().map_or_else(place, str::to_owned)
    }

    /// The same for the search for the blame frame.
    pub fn seen(&self) -> FrameSeen<'_> {
        FrameSeen {
            module: self.module.map(|module| module.name.as_str()),
            function: self.function(),
            start: self.start,
            offset: ModuleOffset(self.frame.offset),
        }
    }

    fn bare(frame: Frame, module: Option<&'a ModuleIdentity>) -> Self {
        Step { frame, module, named: None, start: None }
    }

    fn shown(&self, blame: bool) -> StackFrame {
        let name = self.name();
        StackFrame {
            module: self.module.map(|module| module.name.clone()),
            function: self.function().map(str::to_owned),
            file: name.and_then(|name| name.file.clone()),
            line: name.and_then(|name| name.line),
            address: (self.frame.trust != Trust::Named)
                .then(|| format!("{:#x}", self.frame.offset)),
            trust: self.frame.trust,
            found: name.map(|name| name.found),
            inlined: name.is_some_and(|name| name.inlined),
            blame,
        }
    }
}

/// A stack's functions, innermost first.
pub fn steps<'a>(ledger: &'a Ledger, namer: &mut Namer, stack: StackId) -> Vec<Step<'a>> {
    ledger.stacks().frames(stack).flat_map(|frame| name(ledger, namer, *frame)).collect()
}

/// The functions at one frame; never none.
pub fn name<'a>(ledger: &'a Ledger, namer: &mut Namer, frame: Frame) -> Vec<Step<'a>> {
    let Some((id, module)) = frame.module.and_then(|id| Some((id, ledger.modules().identity(id)?)))
    else {
        return vec![Step::bare(frame, None)];
    };
    let offset = ModuleOffset(frame.offset);
    // The trace's own names go first: they were found where the program ran.
    let recorded = ledger.modules().functions(id, frame.offset);
    if !recorded.is_empty() {
        namer.record(module, offset, recorded);
    }
    let kind = match frame.trust {
        Trust::Context => OffsetKind::Exact,
        _ => OffsetKind::Return,
    };
    // What is no address must not be looked up.
    let functions = match frame.trust {
        Trust::Named => namer.recorded(module, offset),
        _ => namer.name(module, offset, kind),
    };
    if functions.is_empty() && frame.trust == Trust::Named {
        return vec![Step::bare(frame, Some(module))];
    }
    if functions.is_empty() {
        let start = namer.extent(module, offset, kind).map(|extent| extent.start);
        return vec![Step { start, ..Step::bare(frame, Some(module)) }];
    }
    let named = (0..functions.len()).map(|at| Some((Arc::clone(&functions), at)));
    named.map(|named| Step { named, ..Step::bare(frame, Some(module)) }).collect()
}

/// One frame, left without a name.
pub fn unnamed(ledger: &Ledger, frame: Frame) -> Step<'_> {
    Step::bare(frame, frame.module.and_then(|id| ledger.modules().identity(id)))
}

/// A stack as the report has it; `blame` is the blame frame's index.
pub fn shown(steps: &[Step<'_>], blame: Option<usize>) -> Vec<StackFrame> {
    steps.iter().enumerate().map(|(at, step)| step.shown(blame == Some(at))).collect()
}
