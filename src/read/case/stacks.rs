//! One stack tree for all recordings: a node with the same caller and frame is the same node, whoever told of it.

use rustc_hash::FxHashMap;

use crate::event::{Frame, ModuleId, NamedFunction, StackId, StackNode, Trust};

/// The stacks of a case.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    ids: FxHashMap<(StackId, Frame), StackId>,
    /// Of each recording, the case's number for each of its nodes.
    of: Vec<Vec<StackId>>,
    /// What stands for the offset of a frame that is known by name alone.
    named: FxHashMap<(ModuleId, Vec<NamedFunction>), u64>,
    offsets: FxHashMap<(usize, ModuleId, u64), u64>,
}

impl Stacks {
    /// A recording defines its next node, whose frame has the case's module. The node if the case did not have it.
    pub fn define(&mut self, part: usize, caller: StackId, frame: Frame) -> Option<StackNode> {
        let caller = self.id(part, caller);
        let next = StackId(StackId::FIRST.0.saturating_add(self.ids.len() as u32));
        let mut new = false;
        let id = *self.ids.entry((caller, frame)).or_insert_with(|| {
            new = true;
            next
        });
        self.nodes(part).push(id);
        new.then_some(StackNode { caller, frame })
    }

    /// The case's number for a recording's stack.
    pub fn id(&mut self, part: usize, id: StackId) -> StackId {
        if id.is_root() {
            return id;
        }
        let at = (id.0 - StackId::FIRST.0) as usize;
        self.nodes(part).get(at).copied().unwrap_or(StackId::LOST)
    }

    /// The case's offset for a frame that a recording knows by name alone. Frames whose names were told before them are one
    /// across recordings if their names are.
    pub fn offset(&mut self, part: usize, module: Option<ModuleId>, frame: &Frame) -> u64 {
        let named = frame.trust == Trust::Named && !frame.is_address_alone();
        let Some(module) = module.filter(|_| named) else {
            return frame.offset;
        };
        let next = self.next();
        *self.offsets.entry((part, module, frame.offset)).or_insert(next)
    }

    /// A recording names a frame, whose module is the case's: the offset at which the case has that name.
    pub fn name(
        &mut self,
        part: usize,
        module: ModuleId,
        offset: u64,
        functions: &[NamedFunction],
    ) -> u64 {
        if offset & Frame::NAMED == 0 {
            return offset;
        }
        let next = self.next();
        let to = *self.named.entry((module, functions.to_vec())).or_insert(next);
        *self.offsets.entry((part, module, offset)).or_insert(to)
    }

    fn next(&self) -> u64 {
        Frame::NAMED | (self.offsets.len() + self.named.len()) as u64
    }

    fn nodes(&mut self, part: usize) -> &mut Vec<StackId> {
        if self.of.len() <= part {
            self.of.resize_with(part + 1, Vec::new);
        }
        &mut self.of[part]
    }
}
