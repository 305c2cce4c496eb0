//! The stacks that the lines of a file define: traces, by their numbers.

use crate::event::{Frame, StackId, StackNode};

/// What a stack takes here and where it is told, in bytes.
pub(super) const NODE: usize = size_of::<StackId>() + size_of::<StackNode>();

/// Stacks by their traces' numbers, from 1.
#[derive(Debug, Default)]
pub(super) struct Traces {
    stacks: Vec<StackId>,
    nodes: u32,
}

impl Traces {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.stacks.len()
    }

    /// The next one; its caller is a trace, or 0. `None` where there are too many.
    pub(super) fn define(&mut self, frame: Frame, caller: u64) -> Option<StackNode> {
        let id = StackId::FIRST.0.checked_add(self.nodes)?;
        self.nodes += 1;
        let caller = match caller {
            0 => StackId::COMPLETE,
            caller => self.stack(caller),
        };
        self.stacks.push(StackId(id));
        Some(StackNode { caller, frame })
    }

    /// The next one cannot be told; it keeps its number.
    pub(super) fn lose(&mut self) {
        self.stacks.push(StackId::LOST);
    }

    /// A stack by its trace's number; heaptrack gives 0 where it could not walk.
    pub(super) fn stack(&self, trace: u64) -> StackId {
        let at = trace.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.stacks.get(at)).copied().unwrap_or(StackId::LOST)
    }
}
