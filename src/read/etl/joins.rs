//! Stacks to the events they belong to.

use super::ahead::Ahead;
use super::onward::set;
use super::pending::{Hook, Number, Wait};
use super::record::{Record, Ticks};
use super::spaces::Space;
use super::stacks::in_kernel;
use super::stackwalk::{Addresses, Of, StackRecord};
use super::translate::Translator;
use crate::event::{Address, StackId};
use crate::read::Offset;

impl Translator<'_> {
    #[inline]
    pub(super) fn stack(&mut self, record: &Record<'_>) {
        match StackRecord::read(record) {
            Some(StackRecord::Walk { of, frames }) => {
                if let Some(number) = self.waiting(of) {
                    self.join(number, of.pid, of.time, frames);
                }
            }
            Some(StackRecord::UserKey { of, key }) => {
                if let Some(number) = self.waiting(of) {
                    self.join_key(number, of, key, record);
                }
            }
            // No frame of the kernel is one of a stack; the rest is still to come.
            Some(StackRecord::KernelKey { of }) => {
                self.waiting(of);
            }
            Some(StackRecord::Definition { key, frames }) => {
                self.tallies.definitions += 1;
                for number in self.keyed.remove(&key).unwrap_or_default() {
                    let Some(held) = self.pending.get_mut(number) else { continue };
                    let (pid, at) = (self.spaces.get(held.space).pid, held.ticks);
                    self.pending.wait(number, Wait::Stack);
                    self.join(number, pid, at, frames);
                }
            }
            None => self.odd(record, "a record of a stack is too short: not read"),
        }
    }

    /// The event that a stack belongs to, if it waits.
    #[inline]
    fn waiting(&mut self, of: Of) -> Option<Number> {
        let number = self.pending.find(of.time, of.tid);
        match number {
            Some(_) => self.tallies.stacks += 1,
            None => self.tallies.stacks_of_others += 1,
        }
        number
    }

    /// Gives an event the part of its stack in user mode; one that is all in the kernel leaves it waiting.
    #[inline]
    fn join(&mut self, number: Number, pid: u32, at: Ticks, frames: Addresses<'_>) {
        let Some(held) = self.pending.get_mut(number) else { return };
        let (hook, of) = (held.hook, held.space);
        self.walked[hook as usize].came += 1;
        // The stack is of the thread that called, whose process need not be the one that the memory is of.
        let own = self.spaces.get(of).pid == pid;
        let space = if own { of } else { self.spaces.running(pid).unwrap_or(of) };
        let Some(stack) = self.resolve(space, at, frames) else { return };
        let ours = hook == Hook::Reserve && self.of_a_heap(space, at, frames);
        let Some(held) = self.pending.get_mut(number).filter(|held| held.wait != Wait::Key) else {
            return;
        };
        held.wait = Wait::Ready;
        if let Some(event) = &mut held.event {
            set(&mut event.what, stack);
            if ours {
                self.forget_range(number);
            }
        }
    }

    fn join_key(&mut self, number: Number, of: Of, key: u64, record: &Record<'_>) {
        if self.ahead.is_none() {
            self.look_ahead(record.offset);
        }
        // The frames are lent by what was read ahead, which is put back.
        let ahead = self.ahead.take();
        match ahead.as_ref().and_then(|ahead| ahead.frames(key, of.time)) {
            Some(frames) => self.join(number, of.pid, of.time, frames),
            None => {
                self.pending.wait(number, Wait::Key);
                if ahead.as_ref().is_none_or(Ahead::is_cut) {
                    self.wait_for_key(number, key);
                }
            }
        }
        self.ahead = ahead;
    }

    /// What the key stands for may still come.
    fn wait_for_key(&mut self, number: Number, key: u64) {
        let waiting = self.keyed.entry(key).or_default();
        if waiting.len() == waiting.capacity() {
            // Of those that wait no more nothing may stay: a log can have many more than can wait.
            waiting.retain(|number| self.pending.holds(*number));
        }
        waiting.push(number);
    }

    /// The stack of these frames in a process at a time.
    #[inline]
    fn resolve(&mut self, space: usize, at: Ticks, frames: Addresses<'_>) -> Option<StackId> {
        let homeless = self.stacks.homeless;
        let Space { mappings, remembered, .. } = self.spaces.get_mut(space);
        let stack = self.stacks.of(frames, at, mappings, remembered);
        if self.stacks.homeless == homeless || self.again.is_none() {
            return stack;
        }
        let of = self.spaces.get(space);
        if of.listed || of.started.is_some() {
            return stack;
        }
        // Its images may be listed at the end.
        self.look_ahead(Offset(0));
        let Space { mappings, remembered, .. } = self.spaces.get_mut(space);
        self.stacks.of(frames, at, mappings, remembered)
    }

    /// Reads the log to its end for what stands there, once.
    #[cold]
    fn look_ahead(&mut self, offset: Offset) {
        let Some(mut again) = self.again.take() else { return };
        self.tallies.read_ahead = true;
        match Ahead::read(&mut again, &mut self.faults) {
            Ok(ahead) => self.ahead = Some(ahead),
            Err(error) => {
                let what = format!("what stands at the log's end could not be read: {error}");
                self.faults.add(offset, what);
            }
        }
        for at in 0..self.spaces.len() {
            self.fill(at);
        }
    }

    /// Gives a process what stands at the log's end of it.
    #[cold]
    pub(super) fn fill(&mut self, at: usize) {
        let Some(ahead) = self.ahead.take() else { return };
        let space = self.spaces.get_mut(at);
        let which = (space.pid, space.starts);
        if !space.ended {
            if let Some(process) = ahead.process(which)
                && space.about.is_none()
            {
                space.about = Some(process.clone());
                self.say_process(at);
            }
            for image in ahead.images(which) {
                if !self.spaces.get(at).mappings.covers(image.base, image.size) {
                    self.map(at, image, Ticks(0));
                }
            }
        }
        self.ahead = Some(ahead);
    }

    /// Whether memory was taken by ntdll itself, in a process whose heaps are told block by block: the innermost frame is
    /// the system call, and the next is not that of a module that calls it for a program.
    fn of_a_heap(&self, space: usize, at: Ticks, frames: Addresses<'_>) -> bool {
        let of = self.spaces.get(space);
        let ntdll = |address: u64| {
            let found = of.mappings.find(Address(address), at);
            found.is_some_and(|(module, _)| self.modules.is_ntdll(module))
        };
        let mut user =
            frames.iter().filter(|address| !in_kernel(*address, frames.width, at, &of.mappings));
        of.heaps_from_start.is_some()
            && user.next().is_some_and(ntdll)
            && user.next().is_some_and(ntdll)
    }
}
