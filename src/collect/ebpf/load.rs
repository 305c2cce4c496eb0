//! The probe in the kernel: its maps, its programs, and what this kernel makes possible. All of it goes when the
//! descriptors are closed, which the kernel does for whoever dies.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::thread::JoinHandle;

use aya::maps::{HashMap, Map, MapData, RingBuf};
use aya::programs::trace_point::TracePointLinkId;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeScope};
use aya::programs::{Program, TracePoint, UProbe};
use aya::{Ebpf, EbpfLoader};
use aya_obj::Object;

use super::error::AttachError;
use super::kernel::{self, Places};
use super::layout::{ProcessTable, Slot};

/// Aligned as the loader wants it.
static PROBE: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/probe/unfreed.bpf.o"));

/// Threads that take probes away.
const CLOSERS_MOST: usize = 32;

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
    /// Every allocation.
    Allocations(Links),
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

/// What keeps a probe in its place.
pub(super) enum Link {
    /// Closed, it is gone.
    Multi {
        link: OwnedFd,
    },
    Single(Hook, aya::programs::uprobe::UProbeLinkId),
}

impl Probe {
    /// Loads everything; nothing is probed yet. `executions`: every execution on the machine is told.
    pub(super) fn load(
        sizes: Sizes,
        executions: bool,
        purpose: Purpose,
    ) -> Result<(Probe, Ends), AttachError> {
        let fork_child_at = fork_child_at().map_err(AttachError::system(
            "cannot read the layout of sched:sched_process_fork; is tracefs mounted at /sys/kernel/tracing?",
        ))?;
        let tell = u32::from(executions);
        let enough = u64::from(sizes.ring) / 8 * 7;
        let mut loader = EbpfLoader::new();
        loader
            .override_global("fork_child_at", &fork_child_at, true)
            .override_global("tell_executions", &tell, true)
            .override_global("ring_enough", &enough, true)
            .map_max_entries("EVENTS", sizes.ring)
            .map_max_entries("ROWS", sizes.rows)
            .map_max_entries("THREADS", sizes.threads);
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
            Purpose::Allocations(Links::Few) if is_loaded(load_multi(&ebpf, &mut probe_multi)) => {
                Some(Links::Few)
            }
            Purpose::Allocations(_) => Some(Links::Many),
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
        let Map::Array(rows) = take("ROWS")? else { return Err(AttachError::NoProbe) };
        let probe = Probe {
            ebpf,
            multi: probe_multi,
            processes,
            followed,
            _tracepoints: tracepoints,
            ended: Vec::new(),
            closing: None,
        };
        Ok((probe, Ends { ring, rows, losses }))
    }

    /// Whether one link holds all places of a file: else detaching takes its time.
    pub(super) fn is_multi(&self) -> bool {
        !self.multi.is_empty()
    }

    /// Puts a program on places of a file, for one process.
    pub(super) fn attach(
        &mut self,
        hook: Hook,
        file: &Path,
        pid: u32,
        places: &Places,
    ) -> io::Result<Vec<Link>> {
        if let Some(program) = self.multi.get(hook as usize) {
            let link = kernel::link(program.as_fd(), file, pid, places, hook.is_return())?;
            return Ok(vec![Link::Multi { link }]);
        }
        let program = uprobe(&mut self.ebpf, hook).map_err(io::Error::other)?;
        let mut links = Vec::new();
        let scope = std::num::NonZeroU32::new(pid).map(UProbeScope::OneProcess);
        let scope = scope.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        for (&offset, &cookie) in places.offsets.iter().zip(&places.cookies) {
            let location = UProbeAttachLocation::AbsoluteOffset(offset);
            let point = UProbeAttachPoint { location, cookie: Some(cookie) };
            let link = program.attach(point, file, scope).map_err(io::Error::other)?;
            links.push(Link::Single(hook, link));
        }
        Ok(links)
    }

    /// Takes probes away. For each link the kernel waits until no processor can be in its probes any more, some tens
    /// of milliseconds: for many at once it is one wait.
    pub(super) fn detach(&mut self, links: Vec<Link>) {
        let mut multi = Vec::new();
        for link in links {
            match link {
                Link::Multi { link } => multi.push(link),
                Link::Single(hook, id) => {
                    if let Ok(program) = uprobe(&mut self.ebpf, hook)
                        && let Err(error) = program.detach(id)
                    {
                        tracing::warn!("a probe could not be taken away: {error}");
                    }
                }
            }
        }
        if let Some(closing) = self.closing.take() {
            multi.append(&mut self.ended);
            // It has nothing to say.
            let _ = closing.join();
        }
        let share = multi.len().div_ceil(CLOSERS_MOST).max(1);
        std::thread::scope(|scope| {
            while multi.len() > share {
                let part = multi.split_off(multi.len() - share);
                scope.spawn(move || drop(part));
            }
            drop(multi);
        });
    }

    /// Takes the probes of a process away that has ended. Nobody waits for the kernel: others are born meanwhile.
    pub(super) fn detach_ended(&mut self, links: Vec<Link>) {
        let mut single = Vec::new();
        for link in links {
            match link {
                Link::Multi { link } => self.ended.push(link),
                link @ Link::Single(..) => single.push(link),
            }
        }
        if !single.is_empty() {
            self.detach(single);
        }
        if !self.ended.is_empty() && self.closing.as_ref().is_none_or(JoinHandle::is_finished) {
            let ended = std::mem::take(&mut self.ended);
            self.closing = Some(std::thread::spawn(move || drop(ended)));
        }
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

/// What sees memory grow: program and tracepoint. The kernel touches what it copies to a process.
const GROWTH: [(&str, &str, &str); 3] = [
    ("touched", "exceptions", "page_fault_user"),
    ("touched", "exceptions", "page_fault_kernel"),
    ("mapped", "mmap", "vm_unmapped_area"),
];

/// Puts the programs in their places that see memory grow.
fn attach_growth(ebpf: &mut Ebpf) -> Result<Vec<TracePointLinkId>, AttachError> {
    let mut loaded = HashSet::new();
    let mut links = Vec::new();
    for (name, category, event) in GROWTH {
        let program: &mut TracePoint = ebpf
            .program_mut(name)
            .ok_or(AttachError::NoProbe)?
            .try_into()
            .map_err(AttachError::load)?;
        if loaded.insert(name) {
            program.load().map_err(AttachError::load)?;
        }
        links.push(program.attach(category, event).map_err(AttachError::load)?);
    }
    Ok(links)
}

fn is_loaded(loaded: Result<(), AttachError>) -> bool {
    loaded.inspect_err(|error| tracing::debug!("one link for many places: {error}")).is_ok()
}

fn uprobe(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut UProbe, AttachError> {
    let program: &mut Program = ebpf.program_mut(hook.name()).ok_or(AttachError::NoProbe)?;
    program.try_into().map_err(AttachError::load)
}

/// The same programs once more, for links that hold many places.
fn load_multi(ebpf: &Ebpf, into: &mut Vec<OwnedFd>) -> Result<(), AttachError> {
    let mut object = Object::parse(PROBE).map_err(AttachError::load)?;
    let types = match aya::features().btf() {
        Some(features) => object
            .fixup_and_sanitize_btf(features)
            .map_err(AttachError::load)?
            .map(|t| t.to_bytes()),
        None => None,
    };
    let types = types
        .map(|types| kernel::load_types(&types))
        .transpose()
        .map_err(AttachError::system("cannot load the probe's types"))?;
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let maps = std::mem::take(&mut object.maps);
    let mut placed = Vec::new();
    for (name, map) in &maps {
        placed.push((name.as_str(), fd(ebpf.map(name))?, map));
    }
    object.relocate_maps(placed.into_iter(), &sections).map_err(AttachError::load)?;
    object.relocate_calls(&sections).map_err(AttachError::load)?;
    object.sanitize_functions(aya::features());
    let license: CString = object.license.clone();
    for hook in Hook::ALL {
        let program = object.programs.get(hook.name()).ok_or(AttachError::NoProbe)?;
        let function = object
            .functions
            .get(&(program.section_index, program.address))
            .ok_or(AttachError::NoProbe)?;
        let program = kernel::load_program(function, &license, types.as_ref().map(AsFd::as_fd))
            .map_err(AttachError::system("the kernel does not take the probe"))?;
        into.push(program);
    }
    Ok(())
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

/// Where the child's pid lies in the kernel's record of a fork.
fn fork_child_at() -> io::Result<u32> {
    field_at("sched/sched_process_fork", "child_pid")
}

/// Where a field lies in the kernel's record of an event.
fn field_at(event: &str, field: &str) -> io::Result<u32> {
    let path = format!("/sys/kernel/tracing/events/{event}/format");
    let format = std::fs::read_to_string(path)?;
    let line = format.lines().find(|line| line.contains(&format!(" {field};")));
    let offset = line.and_then(|line| line.split("offset:").nth(1)?.split(';').next());
    offset
        .and_then(|offset| offset.parse().ok())
        .ok_or_else(|| io::Error::other(format!("the format of {event} says nothing of {field}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// What kernels before 6.6 have: not tried on one, but this one takes it.
    #[test]
    fn each_place_can_have_a_link_of_its_own() {
        if super::super::obstacle::everywhere().is_err() {
            eprintln!("SKIPPED: attaching needs root");
            return;
        }
        let sizes = Sizes { ring: 1 << 16, rows: 1 << 10, threads: 64 };
        let (mut probe, _) = Probe::load(sizes, false, Purpose::Allocations(Links::Many)).unwrap();
        assert!(!probe.is_multi());
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        // The beginning of its code: never come to, for it sleeps.
        let places = Places { offsets: vec![0x2100], cookies: vec![1 << 32] };
        let file = format!("/proc/{}/exe", sleeper.id());
        for hook in Hook::ALL {
            let links = probe.attach(hook, Path::new(&file), sleeper.id(), &places).unwrap();
            assert_eq!(links.len(), 1);
            probe.detach(links);
        }
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}
