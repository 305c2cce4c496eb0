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
    /// Frames of each node's stack, itself included; no more than one above [`MAX_DEPTH`].
    depths: Vec<u16>,
    unknown: u64,
    cut: u64,
}

/// The most frames of a stack that are looked at, the innermost: no walk takes longer and no report
/// grows larger, however deep a trace says that its stacks are. What is deeper ends
/// [`StackEnd::Truncated`].
pub const MAX_DEPTH: u16 = 1024;

impl Stacks {
    /// Defines the next node. A caller that is not defined yet is taken for lost, and counted.
    pub(super) fn define(&mut self, mut node: StackNode) {
        node.caller = self.resolve(node.caller);
        let depth = self.depth(node.caller).min(MAX_DEPTH) + 1;
        self.cut += u64::from(depth > MAX_DEPTH);
        self.nodes.push(node);
        self.depths.push(depth);
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

    /// The frames of a stack, innermost first, at most [`MAX_DEPTH`]. Of an unknown id there are
    /// none.
    pub fn frames(&self, id: StackId) -> Frames<'_> {
        Frames { stacks: self, next: id, left: MAX_DEPTH }
    }

    /// How a stack ends. An unknown id is a lost stack; one that is deeper than [`MAX_DEPTH`] is
    /// truncated.
    pub fn end(&self, id: StackId) -> StackEnd {
        if self.depth(id) > MAX_DEPTH {
            return StackEnd::Truncated;
        }
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

    /// How many nodes have a stack that is deeper than [`MAX_DEPTH`].
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// 0 for a root and for an unknown id.
    fn depth(&self, id: StackId) -> u16 {
        if id.is_root() { 0 } else { self.depths.get(self.index(id)).copied().unwrap_or(0) }
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
    left: u16,
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a Frame;

    fn next(&mut self) -> Option<&'a Frame> {
        if self.next.is_root() || self.left == 0 {
            return None;
        }
        self.left -= 1;
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
    fn a_stack_that_is_too_deep_is_cut_at_its_outer_end() {
        let mut stacks = Stacks::default();
        stacks.define(node(StackId::COMPLETE, 0));
        for n in 0..200_000 {
            stacks.define(node(StackId(StackId::FIRST.0 + n), u64::from(n) + 1));
        }
        let at = |depth: u32| StackId(StackId::FIRST.0 + depth - 1);
        let deepest = u32::from(MAX_DEPTH);
        assert_eq!(stacks.end(at(deepest)), StackEnd::Complete);
        assert_eq!(stacks.frames(at(deepest)).count(), usize::from(MAX_DEPTH));
        for depth in [deepest + 1, 200_001] {
            assert_eq!(stacks.end(at(depth)), StackEnd::Truncated);
            let frames: Vec<u64> = stacks.frames(at(depth)).map(|f| f.offset).collect();
            assert_eq!(frames.len(), usize::from(MAX_DEPTH));
            assert_eq!(frames[0], u64::from(depth) - 1);
        }
        assert_eq!(stacks.cut(), u64::from(200_001 - deepest));
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
