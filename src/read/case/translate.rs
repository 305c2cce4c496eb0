//! An event of one recording in the numbers of the case.

use super::bases::Bases;
use super::modules::Modules;
use super::processes::{Joined, Processes};
use super::snapshots::{Form, Snapshots};
use super::stacks::Stacks;
use crate::event::{Event, Frame, Module, Root, Trust, What};

/// What is known of all recordings so far.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub processes: Processes,
    pub modules: Modules,
    pub stacks: Stacks,
    pub snapshots: Snapshots,
    pub bases: Bases,
}

/// What becomes of an event.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// It is told.
    Event(Event),
    /// The case says it already.
    Known,
    /// It is of a block of a process whose blocks another recording lists.
    BlockListedTwice,
}

impl Numbers {
    /// Translates one event of a recording; its time is the case's already.
    pub fn translate(&mut self, part: usize, form: Form<'_>, mut event: Event) -> Told {
        if let What::Process(process) = &mut event.what {
            return match self.processes.begin(part, event.process, process) {
                Joined::Known(_) => Told::Known,
                Joined::Said(id, merged) => {
                    **process = merged;
                    Told::Event(Event { process: id, ..event })
                }
            };
        }
        // A stack, a module and a name are of no process, whichever one the event names.
        event.process = match &event.what {
            What::Stack(_) | What::Name(_) | What::Epoch | What::Mark(_) | What::Fact(_) => {
                self.processes.id_if_known(part, event.process)
            }
            _ => self.processes.id(part, event.process),
        };
        if is_of_a_block(&event.what) && !self.processes.lists_blocks(part, event.process) {
            return Told::BlockListedTwice;
        }
        let stacks = &mut self.stacks;
        match &mut event.what {
            What::Alloc(alloc) => alloc.stack = stacks.id(part, alloc.stack),
            What::Free(free) => free.stack = stacks.id(part, free.stack),
            What::Realloc(realloc) => realloc.stack = stacks.id(part, realloc.stack),
            What::FreedBefore(before) => {
                before.site = stacks.id(part, before.site);
                before.stack = stacks.id(part, before.stack);
            }
            What::HeapCreate(create) => create.stack = stacks.id(part, create.stack),
            What::Tally(tally) => tally.stack = stacks.id(part, tally.stack),
            What::Reach(reach) => {
                reach.stack = stacks.id(part, reach.stack);
                if let Some(Root { module: Some(module), .. }) = &mut reach.root {
                    *module = self.modules.id(part, *module);
                }
            }
            What::Exception(exception) => exception.stack = stacks.id(part, exception.stack),
            What::Snapshot(snapshot) => {
                snapshot.stack = stacks.id(part, snapshot.stack);
                let number =
                    self.snapshots.number(part, form, (event.process, event.time), snapshot.number);
                let Some(number) = number else { return Told::BlockListedTwice };
                snapshot.number = number;
            }
            What::Stack(node) => {
                let module = node.frame.module.map(|module| self.modules.id(part, module));
                let name = module.and_then(|module| self.modules.name(module));
                let offset = name.filter(|_| node.frame.is_address_alone());
                let offset = offset.and_then(|name| self.bases.offset(name, node.frame.offset));
                let frame = match offset {
                    Some(offset) => Frame { module, offset, trust: Trust::Recorded },
                    None => {
                        let offset = stacks.offset(part, module, &node.frame);
                        Frame { module, offset, ..node.frame }
                    }
                };
                match stacks.define(part, node.caller, frame) {
                    Some(defined) => *node = defined,
                    None => return Told::Known,
                }
            }
            What::Name(name) => {
                name.module = self.modules.id(part, name.module);
                name.offset = stacks.name(part, name.module, name.offset, &name.functions);
            }
            What::Module(module) => {
                let process = self.processes.is_known(event.process).then_some(event.process);
                let mapped: Module = self.modules.map(part, process, module);
                **module = mapped;
            }
            What::ProcessExit(exit) => {
                if !self.processes.end(event.process, *exit) {
                    return Told::Known;
                }
            }
            What::HeapDestroy(_)
            | What::ModuleUnload(_)
            | What::Process(_)
            | What::Thread(_)
            | What::ThreadExit
            | What::Loss(_)
            | What::Mark(_)
            | What::Sample(_)
            | What::Fact(_)
            | What::Epoch
            | What::Scan(_) => {}
        }
        Told::Event(event)
    }
}

/// Whether it tells of a block by itself, or of a heap.
pub(super) fn is_of_a_block(what: &What) -> bool {
    matches!(
        what,
        What::Alloc(_)
            | What::Free(_)
            | What::Realloc(_)
            | What::Tally(_)
            | What::FreedBefore(_)
            | What::HeapCreate(_)
            | What::HeapDestroy(_)
    )
}
