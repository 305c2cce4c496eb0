//! The probes of one process, file by file.

use std::io;
use std::sync::Arc;

use super::Target;
use super::stacks::news;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::ebpf::chosen::{Chosen, choose, has_no_place, may_call_each_other};
use crate::collect::ebpf::error::AttachError;
use crate::collect::ebpf::functions::Role;
use crate::collect::ebpf::kernel::Places;
use crate::collect::ebpf::layout::{Shape, cookie};
use crate::collect::ebpf::load::{Hook, Link, Probe};
use crate::collect::ebpf::memory::{Mapped, link_to};
use crate::collect::ebpf::modules::Module;
use crate::collect::ebpf::wine;
use crate::event::Function;

impl Target {
    /// Sets probes on the allocators that came.
    pub(super) fn probe_all(
        &mut self,
        mapped: &[Mapped],
        files: &[Arc<Module>],
        probe: &mut Probe,
    ) -> Result<(), AttachError> {
        let guarded = may_call_each_other(mapped, files);
        if guarded && !self.guarded {
            // What is there was set for an allocator that is alone.
            self.had_gap = self.has_allocator;
            self.detach(probe);
            self.guarded = true;
        }
        for (mapped, module) in mapped.iter().zip(files) {
            if self.probed_at(mapped).is_none() && !wine::is_unsettled(mapped) {
                self.set_probes(probe, mapped, module)?;
            }
        }
        let allocators = mapped
            .iter()
            .zip(files)
            .filter(|(mapped, module)| {
                !choose(mapped, module).is_empty() && !wine::is_unsettled(mapped)
            })
            .map(|(mapped, _)| self.probed_at(mapped).unwrap_or_else(now));
        if let Some(last) = allocators.max() {
            self.has_allocator = true;
            self.sight.probed(last);
        } else {
            self.has_allocator = false;
        }
        self.news =
            mapped.iter().zip(files).flat_map(|(mapped, module)| news(mapped, module)).collect();
        Ok(())
    }

    /// When a file of its memory had got its probes.
    fn probed_at(&self, mapped: &Mapped) -> Option<Stamp> {
        self.probed.iter().find(|(file, _)| *file == mapped.file).map(|(_, at)| *at)
    }

    /// Takes its probes away.
    pub(in crate::collect::ebpf) fn detach(&mut self, probe: &mut Probe) {
        probe.detach(self.take_links());
    }

    /// What holds its probes, for who takes away those of many at once.
    pub(in crate::collect::ebpf) fn take_links(&mut self) -> Vec<Link> {
        self.probed.clear();
        std::mem::take(&mut self.links)
    }

    fn set_probes(
        &mut self,
        probe: &mut Probe,
        mapped: &Mapped,
        module: &Module,
    ) -> Result<(), AttachError> {
        let mut wanted = Vec::new();
        if !module.map_changed.is_empty() {
            let offsets = module.map_changed.clone();
            let cookie = cookie(self.slot, Function::Unknown, Shape::Size, false);
            let places = Places { cookies: vec![cookie; offsets.len()], offsets };
            wanted.push((Hook::MapChanged, places));
        }
        if module.functions.iter().any(|entry| has_no_place(module, entry)) {
            self.unprobed.push(mapped.path.clone());
        }
        let chosen = choose(mapped, module);
        if !chosen.is_empty() {
            let guarded = self.guarded;
            let mut allocations = Places::default();
            let mut returning = Places::default();
            let mut left = Places::default();
            let mut releases = Places::default();
            for Chosen { function, role, offset, place, exits } in chosen {
                let (shape, into) = match role {
                    Role::Allocates(shape) => (shape, Some(&mut allocations)),
                    Role::Releases(shape) => (shape, Some(&mut releases)),
                    Role::MakesHeap => (Shape::WholeHeap, None),
                };
                if !place.cheap {
                    tracing::debug!(
                        "{}: {} is costly to probe",
                        mapped.path.display(),
                        function.name()
                    );
                }
                let cookie = cookie(self.slot, function, shape, guarded);
                if let Some(into) = into {
                    into.offsets.push(offset + place.offset);
                    into.cookies.push(cookie);
                }
                if matches!(role, Role::Releases(_)) {
                    continue;
                }
                let Some(exits) = exits else {
                    returning.offsets.push(offset + place.offset);
                    returning.cookies.push(cookie);
                    continue;
                };
                for exit in exits {
                    // Two functions may end in the same code.
                    if !left.offsets.contains(&exit) {
                        left.offsets.push(exit);
                        left.cookies.push(cookie);
                    }
                }
            }
            // Whatever is seen allocated is seen released, and what is seen to begin is seen to end.
            wanted.extend([
                (Hook::Release, releases),
                (Hook::Allocated, returning),
                (Hook::Left, left),
                (Hook::Allocation, allocations),
            ]);
        }
        let links = probe.attach(&link_to(self.pid, mapped), self.pid, &wanted).map_err(
            |cause| match cause.kind() {
                io::ErrorKind::PermissionDenied => AttachError::NotAllowed,
                _ => AttachError::System { what: "cannot set a probe", cause },
            },
        )?;
        self.links.extend(links);
        self.probed.push((mapped.file.clone(), now()));
        Ok(())
    }
}
