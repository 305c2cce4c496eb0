//! The stack tree: every frame stored once, under its caller. A stack is named by its innermost
//! node. Nodes are defined in order and a caller is always older than its callee, so a walk ends.
//! An id that was never defined is taken for [`StackId::LOST`] and counted; nothing is guessed.

use crate::event::{Frame, StackId, StackNode};

/// How a stack ends at its outer end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackEnd {
    /// At the outermost caller.
    Complete,
    /// Early: the walk could not go on.
    Truncated,
    /// The stack, or the definition of one of its nodes, was lost.
    Lost,
    /// No stack was taken.
    NotTaken,
}

/// All stacks of a trace.
#[derive(Debug, Default)]
pub struct Stacks {
    nodes: Vec<StackNode>,
    unknown: u64,
}

impl Stacks {
    /// Defines the next node. A caller that is not defined yet is taken for lost, and counted.
    pub(super) fn define(&mut self, mut node: StackNode) {
        node.caller = self.resolve(node.caller);
        self.nodes.push(node);
    }

    /// The id itself if it is a root or defined, else [`StackId::LOST`], counted.
    #[inline]
    pub(super) fn resolve(&mut self, id: StackId) -> StackId {
        if id.is_root() || self.index(id) < self.nodes.len() {
            return id;
        }
        self.unknown += 1;
        StackId::LOST
    }

    /// The frames of a stack, innermost first. Of an unknown id there are none.
    pub fn frames(&self, id: StackId) -> Frames<'_> {
        Frames { stacks: self, next: id }
    }

    /// How a stack ends. An unknown id is a lost stack.
    pub fn end(&self, id: StackId) -> StackEnd {
        let mut frames = self.frames(id);
        frames.by_ref().for_each(drop);
        match frames.next {
            StackId::COMPLETE => StackEnd::Complete,
            StackId::TRUNCATED => StackEnd::Truncated,
            StackId::NOT_TAKEN => StackEnd::NotTaken,
            _ => StackEnd::Lost,
        }
    }

    /// How many nodes are defined.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node is defined.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How often an id was used that was never defined.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    fn index(&self, id: StackId) -> usize {
        (id.0 - StackId::FIRST.0) as usize
    }
}

/// The frames of one stack, innermost first.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    stacks: &'a Stacks,
    next: StackId,
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a Frame;

    fn next(&mut self) -> Option<&'a Frame> {
        if self.next.is_root() {
            return None;
        }
        let node = self.stacks.nodes.get(self.stacks.index(self.next))?;
        self.next = node.caller;
        Some(&node.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Trust;

    fn node(caller: StackId, offset: u64) -> StackNode {
        StackNode { caller, frame: Frame { module: None, offset, trust: Trust::Table } }
    }

    #[test]
    fn frames_come_innermost_first() {
        let mut stacks = Stacks::default();
        stacks.define(node(StackId::COMPLETE, 1));
        stacks.define(node(StackId(4), 2));
        let offsets: Vec<u64> = stacks.frames(StackId(5)).map(|f| f.offset).collect();
        assert_eq!(offsets, [2, 1]);
        assert_eq!(stacks.end(StackId(5)), StackEnd::Complete);
    }

    #[test]
    fn a_caller_that_comes_later_is_lost() {
        let mut stacks = Stacks::default();
        stacks.define(node(StackId(4), 1));
        assert_eq!(stacks.end(StackId(4)), StackEnd::Lost);
        assert_eq!(stacks.unknown(), 1);
        assert_eq!(stacks.resolve(StackId(99)), StackId::LOST);
        assert_eq!(stacks.unknown(), 2);
        assert_eq!(stacks.end(StackId(99)), StackEnd::Lost);
    }
}
