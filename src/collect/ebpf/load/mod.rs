//! The probe in the kernel: its maps, its programs, and what this kernel makes possible. All of it goes when the
//! descriptors are closed, which the kernel does for whoever dies.

mod links;
mod multi;
mod tracepoints;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::thread::JoinHandle;

use aya::maps::{HashMap, Map, MapData, RingBuf};
use aya::programs::trace_point::TracePointLinkId;
use aya::programs::{Program, TracePoint, UProbe};
use aya::{Ebpf, EbpfLoader};

pub(super) use self::links::Link;
use self::multi::load_multi;
use self::tracepoints::{attach_growth, field_at, fork_child_at};
use super::error::AttachError;
use super::kernel;
use super::layout::{ProcessTable, Slot};
use super::obstacle::Kernel;
use crate::event::Bytes;

/// Aligned as the loader wants it.
static PROBE: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/probe/unfreed.bpf.o"));

/// A program of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Allocation,
    /// On the return, by the kernel's own address in the place of the return address.
    Allocated,
    /// On the instruction that returns.
    Left,
    Release,
    MapChanged,
}

impl Hook {
    const ALL: [Hook; 5] =
        [Hook::Allocation, Hook::Allocated, Hook::Left, Hook::Release, Hook::MapChanged];

    fn name(self) -> &'static str {
        match self {
            Hook::Allocation => "allocation",
            Hook::Allocated => "allocated",
            Hook::Left => "left",
            Hook::Release => "release",
            Hook::MapChanged => "map_changed",
        }
    }

    fn is_return(self) -> bool {
        self == Hook::Allocated
    }
}

/// How large the probe's tables are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Bytes of the ring; a power of two.
    pub(super) ring: u32,
    /// Rows of all unwind tables.
    pub(super) rows: u32,
    /// Threads that can be within an allocator function at once, or have been.
    pub(super) threads: u32,
    /// Blocks of a sample that can live at once.
    pub(super) sampled: u32,
}

/// How many links hold the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// One for all places of a file, where the kernel has that: since 6.6.
    Few,
    /// One for each place.
    Many,
}

/// What the probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Every allocation, or on average one of every so many bytes.
    Allocations(Links, Option<Bytes>),
    /// Only who makes the memory grow: nothing sits in a process.
    Growth,
}

/// The loaded probe.
pub(super) struct Probe {
    ebpf: Ebpf,
    /// By [`Hook`], where one link can hold many places; else empty.
    multi: Vec<OwnedFd>,
    processes: RawFd,
    followed: HashMap<MapData, u32, u32>,
    /// Where a sample is told: its blocks that live, by address and slot.
    sampled: Option<HashMap<MapData, [u64; 2], u32>>,
    _tracepoints: Vec<TracePointLinkId>,
    /// Links of processes that have ended, to be closed, and who closes such.
    ended: Vec<OwnedFd>,
    closing: Option<JoinHandle<()>>,
}

/// What the probe writes and reads beside.
pub(super) struct Ends {
    pub(super) ring: RingBuf<MapData>,
    pub(super) rows: MapData,
    pub(super) losses: MapData,
}

impl Probe {
    /// Loads everything; nothing is probed yet. `executions`: every execution on the machine is told.
    pub(super) fn load(
        sizes: Sizes,
        executions: bool,
        purpose: Purpose,
    ) -> Result<(Probe, Ends), AttachError> {
        let has_loop = Kernel::here().is_none_or(Kernel::has_loop);
        Probe::load_for(has_loop, sizes, executions, purpose)
    }

    /// The same, for a kernel that has `bpf_loop` or not.
    fn load_for(
        has_loop: bool,
        sizes: Sizes,
        executions: bool,
        purpose: Purpose,
    ) -> Result<(Probe, Ends), AttachError> {
        let fork_child_at = fork_child_at()
            .map_err(AttachError::system("cannot read the layout of sched:sched_process_fork"))?;
        let tell = u32::from(executions);
        let enough = u64::from(sizes.ring) / 8 * 7;
        let mean = match purpose {
            Purpose::Allocations(_, Some(mean)) => mean.0,
            Purpose::Allocations(_, None) | Purpose::Growth => 0,
        };
        let sampled = if mean == 0 { 1 } else { sizes.sampled };
        let has_loop = u32::from(has_loop);
        let mut loader = EbpfLoader::new();
        loader
            .override_global("has_loop", &has_loop, true)
            .override_global("fork_child_at", &fork_child_at, true)
            .override_global("tell_executions", &tell, true)
            .override_global("ring_enough", &enough, true)
            .override_global("sample_mean", &mean, true)
            .map_max_entries("EVENTS", sizes.ring)
            .map_max_entries("ROWS", sizes.rows)
            .map_max_entries("THREADS", sizes.threads)
            .map_max_entries("SAMPLED", sampled);
        let mut places = [8, 8, 32];
        if purpose == Purpose::Growth {
            let fields = [
                ("exceptions/page_fault_user", "address"),
                ("mmap/vm_unmapped_area", "addr"),
                ("mmap/vm_unmapped_area", "length"),
            ];
            for (place, (event, field)) in places.iter_mut().zip(fields) {
                *place = field_at(event, field).map_err(AttachError::system(
                    "this kernel does not tell who makes memory grow (tracepoints exceptions:page_fault_user, mmap:vm_unmapped_area)",
                ))?;
            }
        }
        loader
            .override_global("fault_address_at", &places[0], true)
            .override_global("mapped_address_at", &places[1], true)
            .override_global("mapped_length_at", &places[2], true);
        let mut ebpf = loader.load(PROBE).map_err(AttachError::load)?;
        let processes = fd(ebpf.map("PROCESSES"))?;
        let mut probe_multi = Vec::new();
        let links = match purpose {
            Purpose::Growth => None,
            Purpose::Allocations(Links::Few, _)
                if is_loaded(load_multi(&ebpf, &mut probe_multi)) =>
            {
                Some(Links::Few)
            }
            Purpose::Allocations(..) => Some(Links::Many),
        };
        if links == Some(Links::Many) {
            probe_multi.clear();
            for hook in Hook::ALL {
                uprobe(&mut ebpf, hook)?.load().map_err(AttachError::load)?;
            }
        }
        let mut tracepoints = Vec::new();
        for (program, name) in [
            ("forked", "sched_process_fork"),
            ("executed", "sched_process_exec"),
            ("exited", "sched_process_exit"),
        ] {
            let tracepoint: &mut TracePoint = ebpf
                .program_mut(program)
                .ok_or(AttachError::NoProbe)?
                .try_into()
                .map_err(AttachError::load)?;
            tracepoint.load().map_err(AttachError::load)?;
            tracepoints.push(tracepoint.attach("sched", name).map_err(AttachError::load)?);
        }
        if purpose == Purpose::Growth {
            tracepoints.extend(attach_growth(&mut ebpf)?);
        }
        let mut take = |name| ebpf.take_map(name).ok_or(AttachError::NoProbe);
        let ring = RingBuf::try_from(take("EVENTS")?).map_err(AttachError::load)?;
        let Map::Array(losses) = take("LOSSES")? else { return Err(AttachError::NoProbe) };
        let followed = HashMap::try_from(take("FOLLOWED")?).map_err(AttachError::load)?;
        let sampled = HashMap::try_from(take("SAMPLED")?).map_err(AttachError::load)?;
        let sampled = (mean > 0).then_some(sampled);
        let Map::Array(rows) = take("ROWS")? else { return Err(AttachError::NoProbe) };
        let probe = Probe {
            ebpf,
            multi: probe_multi,
            processes,
            followed,
            sampled,
            _tracepoints: tracepoints,
            ended: Vec::new(),
            closing: None,
        };
        Ok((probe, Ends { ring, rows, losses }))
    }

    /// Whether probes go with the first thread of a process, while others run on.
    pub(super) fn go_with_first_thread(&self) -> bool {
        Kernel::here().is_some_and(Kernel::first_thread_holds) || !self.is_multi()
    }

    /// Whether one link holds all places of a file: else detaching takes its time.
    pub(super) fn is_multi(&self) -> bool {
        !self.multi.is_empty()
    }

    /// Tells the probe what a process has mapped.
    pub(super) fn set_process(&self, slot: Slot, table: &ProcessTable) -> io::Result<()> {
        kernel::replace_inner(self.processes(), slot.0, table)
    }

    /// Forgets a process.
    pub(super) fn remove_process(&self, slot: Slot) {
        // It may have never been there.
        let _ = kernel::remove_inner(self.processes(), slot.0);
    }

    /// Forgets the blocks of a sample that lived in a process that is gone: another gets its slot.
    pub(super) fn forget_sampled(&mut self, slot: Slot) {
        let Some(sampled) = &mut self.sampled else { return };
        let of = |key: &[u64; 2]| key[1] == u64::from(slot.0);
        let keys: Vec<[u64; 2]> = sampled.keys().filter_map(Result::ok).filter(of).collect();
        for key in keys {
            // The process may still run, and have freed it meanwhile.
            let _ = sampled.remove(&key);
        }
    }

    fn processes(&self) -> BorrowedFd<'_> {
        // SAFETY: the map belongs to `ebpf`, which lives as long.
        unsafe { BorrowedFd::borrow_raw(self.processes) }
    }

    /// Has forks, executions and ends of a process told.
    pub(super) fn follow(&mut self, pid: u32, slot: Slot) -> io::Result<()> {
        self.followed.insert(pid, slot.0, 0).map_err(io::Error::other)
    }

    /// No longer.
    pub(super) fn unfollow(&mut self, pid: u32) {
        // It may have never been there.
        let _ = self.followed.remove(&pid);
    }
}

fn is_loaded(loaded: Result<(), AttachError>) -> bool {
    loaded.inspect_err(|error| tracing::debug!("one link for many places: {error}")).is_ok()
}

fn uprobe(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut UProbe, AttachError> {
    let program: &mut Program = ebpf.program_mut(hook.name()).ok_or(AttachError::NoProbe)?;
    program.try_into().map_err(AttachError::load)
}

fn fd(map: Option<&Map>) -> Result<RawFd, AttachError> {
    match map {
        Some(
            Map::Array(data)
            | Map::ArrayOfMaps(data)
            | Map::HashMap(data)
            | Map::LruHashMap(data)
            | Map::RingBuf(data),
        ) => Ok(data.fd().as_fd().as_raw_fd()),
        _ => Err(AttachError::NoProbe),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
