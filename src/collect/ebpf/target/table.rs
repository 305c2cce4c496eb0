//! What the probe is told of a process's code.

use std::sync::Arc;

use super::Target;
use crate::collect::ebpf::chosen::choose;
use crate::collect::ebpf::layout::{MAPPING_ALLOCATOR, MAPPINGS_MOST, Mapping, ProcessTable};
use crate::collect::ebpf::memory::Mapped;
use crate::collect::ebpf::modules::Module;

impl Target {
    pub(super) fn table(&mut self, mapped: &[Mapped], files: &[Arc<Module>]) -> Box<ProcessTable> {
        let mut table = Box::new(ProcessTable {
            generation: self.generation,
            count: 0,
            own_start: 0,
            own_end: 0,
            mappings: [Mapping::default(); MAPPINGS_MOST],
        });
        let own = mapped.iter().find(|mapped| is_libc(mapped)).and_then(|libc| libc.code.first());
        self.own = own.map_or(0..0, |code| code.start..code.end);
        (table.own_start, table.own_end) = (self.own.start, self.own.end);
        let parts = mapped.iter().zip(files).flat_map(|(mapped, module)| {
            let flags = if choose(mapped, module).is_empty() { 0 } else { MAPPING_ALLOCATOR };
            mapped.code.iter().map(move |code| Mapping {
                start: code.start,
                end: code.end,
                bias: module.bias(mapped, code).unwrap_or(code.start),
                first: module.first,
                rows: if module.segments.is_empty() { 0 } else { module.rows },
                flags,
                unused: 0,
            })
        });
        // Of these nothing is known, which the probe must know: it would have them looked at.
        let unnamed =
            self.unnamed.iter().map(|&(start, end)| Mapping { start, end, ..Mapping::default() });
        let mut parts: Vec<Mapping> = parts.chain(unnamed).collect();
        parts.sort_by_key(|part| part.start);
        if parts.len() > MAPPINGS_MOST {
            tracing::warn!(
                "process {}: only {MAPPINGS_MOST} of {} mappings of code are known to the probe",
                self.pid,
                parts.len()
            );
        }
        for part in parts.into_iter().take(MAPPINGS_MOST) {
            table.mappings[table.count as usize] = part;
            table.count += 1;
        }
        self.mappings = table.mappings[..table.count as usize].to_vec();
        table
    }
}

fn is_libc(mapped: &Mapped) -> bool {
    mapped.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc.so"))
}
