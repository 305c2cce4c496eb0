//! Processes and their images: what records say of them, and what is told.

use unfreed_symbols::ModuleIdentity;

use super::image::Image;
use super::kind::Kind;
use super::process::ProcessRecord;
use super::record::{Record, Ticks};
use super::translate::Translator;
use crate::event::{Address, Bytes, Exit, Module, ModuleId, Process, ProcessId, What};

/// The process that the kernel's images are told of. No frame of the kernel becomes one of a stack.
const KERNEL: u32 = 0;

/// A module as it was told last.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) identity: ModuleIdentity,
    pub(super) space: usize,
    pub(super) base: Address,
    pub(super) size: Bytes,
}

impl Translator<'_> {
    #[cold]
    pub(super) fn announce(&mut self, at: usize) -> ProcessId {
        let id = ProcessId(self.processes);
        self.processes += 1;
        self.spaces.get_mut(at).id = Some(id);
        self.say_process(at);
        let mapped: Vec<_> = self.spaces.get(at).mappings.iter().map(|(b, m)| (b, *m)).collect();
        for (base, mapped) in mapped.into_iter().filter(|(_, mapped)| mapped.until.is_none()) {
            self.say_module(at, mapped.module, base, mapped.size);
        }
        id
    }

    pub(super) fn say_process(&mut self, at: usize) {
        let process: Process = self.spaces.get(at).process();
        self.say(at, What::Process(Box::new(process)));
    }

    pub(super) fn say_module(&mut self, at: usize, id: ModuleId, base: Address, size: Bytes) {
        let identity = self.modules.identity(id);
        let module = Module { id, identity: identity.clone(), base, size };
        self.said.insert(id, Said { identity, space: at, base, size });
        self.say(at, What::Module(Box::new(module)));
    }

    pub(super) fn image(&mut self, kind: Kind, record: &Record<'_>) {
        self.tallies.images += 1;
        let image = Image::read(record);
        let Some((image, pid)) = image.and_then(|i| i.pid.or(record.process).map(|pid| (i, pid)))
        else {
            self.odd(record, "a record of an image cannot be read: its frames have no module");
            return;
        };
        if pid == KERNEL {
            return;
        }
        let at = self.at(pid);
        let space = self.spaces.get_mut(at);
        if kind == Kind::ImageUnmapped {
            if space.mappings.unmap(image.base, self.now) {
                space.remembered.clear();
                self.say(at, What::ModuleUnload(image.base));
            }
            return;
        }
        space.listed |= record.opcode == 3;
        // One that was found, not seen to be mapped, was there before.
        let since = if matches!(record.opcode, 3 | 4) { Ticks(0) } else { record.time };
        self.map(at, &image, since);
    }

    pub(super) fn map(&mut self, at: usize, image: &Image, since: Ticks) {
        let module = self.modules.id(image);
        let space = self.spaces.get_mut(at);
        if space.mappings.map(image.base, image.size, module, since) {
            space.remembered.clear();
            if space.id.is_some() {
                self.say_module(at, module, image.base, image.size);
            }
        }
    }

    pub(super) fn process(&mut self, kind: Kind, record: &Record<'_>) {
        self.tallies.processes += 1;
        let Some(about) = ProcessRecord::read(record) else {
            self.odd(record, "a record of a process cannot be read");
            return;
        };
        let at = if kind == Kind::ProcessStart {
            let (at, replaced) = self.spaces.start(about.pid, record.time);
            if let Some(old) = replaced {
                self.say(old, What::ProcessExit(Exit::Unknown));
            }
            at
        } else {
            self.at(about.pid)
        };
        let status = about.status;
        let space = self.spaces.get_mut(at);
        if space.about.is_none() {
            space.about = Some(about);
            self.say_process(at);
        }
        if kind == Kind::ProcessEnd {
            self.say_committed(at, true);
            self.say(at, What::ProcessExit(Exit::Status(status)));
            self.spaces.end(at);
        }
    }
}
