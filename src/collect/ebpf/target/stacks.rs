//! What a stack of a process tells of its allocators.

use std::ops::Range;
use std::sync::Arc;

use unfreed_symbols::Entry;
use unfreed_wire::split_frame_word;

use super::Target;
use crate::collect::ebpf::drain::Walked;
use crate::collect::ebpf::functions::{is_operator, known};
use crate::collect::ebpf::memory::Mapped;
use crate::collect::ebpf::modules::Module;
use crate::event::Function;

impl Target {
    /// The module of the allocator whose function is on a stack: the one that the program called.
    pub(in crate::collect::ebpf) fn allocator_on(&self, frames: &[u64]) -> Option<Arc<str>> {
        let of = |word: &u64| {
            let address = split_frame_word(*word).0;
            self.allocators.iter().find(|(code, _)| code.contains(&address))
        };
        frames.iter().rev().find_map(of).map(|(_, module)| module.clone())
    }

    /// Takes the frames of `operator new` off a stack of the malloc that it calls: a block is that function's which
    /// the program called.
    pub(in crate::collect::ebpf) fn name_by_caller(&mut self, walked: &mut Walked) {
        let of = |word: u64| {
            let address = split_frame_word(word).0;
            self.news
                .iter()
                .find(|(code, _)| code.contains(&address))
                .map(|(_, function)| *function)
        };
        let mut inner = 0;
        while inner + 1 < walked.frames.len()
            && let Some(function) = of(walked.frames[inner])
        {
            self.renamed.insert(walked.name, function);
            inner += 1;
        }
        walked.frames.drain(..inner);
    }

    /// Takes note of a stack that lies in the C library alone, from its innermost frame to its outermost: that of a
    /// thread that ends, which gives back what it had put by of blocks that were freed.
    pub(in crate::collect::ebpf) fn note_teardown(&mut self, walked: &Walked) {
        let within = |word: &u64| self.own.contains(&split_frame_word(*word).0);
        if walked.complete && walked.frames.iter().all(within) {
            self.teardown.insert(walked.name);
        }
    }
}

/// Where a file's functions are that allocate.
pub(super) fn allocators(mapped: &Mapped, module: &Module) -> Vec<(Range<u64>, Arc<str>)> {
    let bias = mapped.code.first().and_then(|code| module.bias(mapped, code));
    let name = mapped.path.file_name().map(|name| Arc::<str>::from(name.to_string_lossy()));
    let (Some(bias), Some(name)) = (bias, name) else { return Vec::new() };
    let gives = |entry: &&Entry| known(entry.name).is_some_and(|of| of.role.gives());
    let functions = module.functions.iter().filter(gives).map(|entry| {
        let start = bias.wrapping_add(entry.address);
        (start..start + entry.size.max(1) + 1, name.clone())
    });
    functions.collect()
}

/// Where a C++ library's functions are that call malloc.
pub(super) fn news(mapped: &Mapped, module: &Module) -> Vec<(Range<u64>, Function)> {
    let bias = mapped.code.first().and_then(|code| module.bias(mapped, code));
    let Some(bias) = bias.filter(|_| module.made_of_malloc) else { return Vec::new() };
    let operators = module.functions.iter().filter(|entry| is_operator(entry.name));
    let functions = operators.filter_map(|entry| {
        let known = known(entry.name).filter(|known| known.role.gives())?;
        let start = bias.wrapping_add(entry.address);
        // A return address may lie behind a call that is the last instruction.
        Some((start..start + entry.size + 1, known.function))
    });
    functions.collect()
}
