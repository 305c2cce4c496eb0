//! Tracepoints of the kernel: what their records hold, and the programs on them.

use std::collections::HashSet;
use std::io;

use aya::Ebpf;
use aya::programs::TracePoint;
use aya::programs::trace_point::TracePointLinkId;

use crate::collect::ebpf::error::AttachError;

/// What sees memory grow: program and tracepoint. The kernel touches what it copies to a process.
const GROWTH: [(&str, &str, &str); 3] = [
    ("touched", "exceptions", "page_fault_user"),
    ("touched", "exceptions", "page_fault_kernel"),
    ("mapped", "mmap", "vm_unmapped_area"),
];

/// Puts the programs in their places that see memory grow.
pub(super) fn attach_growth(ebpf: &mut Ebpf) -> Result<Vec<TracePointLinkId>, AttachError> {
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

/// Where the child's pid lies in the kernel's record of a fork.
pub(super) fn fork_child_at() -> io::Result<u32> {
    field_at("sched/sched_process_fork", "child_pid")
}

/// Where a field lies in the kernel's record of an event.
pub(super) fn field_at(event: &str, field: &str) -> io::Result<u32> {
    let path = format!("/sys/kernel/tracing/events/{event}/format");
    let format = std::fs::read_to_string(path)?;
    let line = format.lines().find(|line| line.contains(&format!(" {field};")));
    let offset = line.and_then(|line| line.split("offset:").nth(1)?.split(';').next());
    offset
        .and_then(|offset| offset.parse().ok())
        .ok_or_else(|| io::Error::other(format!("the format of {event} says nothing of {field}")))
}
