//! What keeps probes in their places, and how they are taken away.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::JoinHandle;

use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLinkId, UProbeScope};

use super::{Hook, Probe, uprobe};
use crate::collect::ebpf::kernel::{self, Places};

/// Threads that take probes away.
const CLOSERS_MOST: usize = 32;

/// What keeps a probe in its place.
pub(in crate::collect::ebpf) enum Link {
    /// Closed, it is gone.
    Multi {
        link: OwnedFd,
    },
    Single(Hook, UProbeLinkId),
}

impl Probe {
    /// Puts programs on places of a file, for one process: on all of them or, after an error, on none. One that was left
    /// behind would tell all that it sees twice, once the same is tried again.
    pub(in crate::collect::ebpf) fn attach(
        &mut self,
        file: &Path,
        pid: u32,
        wanted: &[(Hook, Places)],
    ) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        for (hook, places) in wanted.iter().filter(|(_, places)| !places.offsets.is_empty()) {
            if let Err(error) = self.put(*hook, file, pid, places, &mut links) {
                // Else there is nothing to wait for.
                if !links.is_empty() {
                    self.detach(links);
                }
                return Err(error);
            }
        }
        Ok(links)
    }

    fn put(
        &mut self,
        hook: Hook,
        file: &Path,
        pid: u32,
        places: &Places,
        links: &mut Vec<Link>,
    ) -> io::Result<()> {
        if let Some(program) = self.multi.get(hook as usize) {
            let link = kernel::link(program.as_fd(), file, pid, places, hook.is_return())?;
            links.push(Link::Multi { link });
            return Ok(());
        }
        let program = uprobe(&mut self.ebpf, hook).map_err(io::Error::other)?;
        let scope = std::num::NonZeroU32::new(pid).map(UProbeScope::OneProcess);
        let scope = scope.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        for (&offset, &cookie) in places.offsets.iter().zip(&places.cookies) {
            let location = UProbeAttachLocation::AbsoluteOffset(offset);
            let point = UProbeAttachPoint { location, cookie: Some(cookie) };
            let link = program.attach(point, file, scope).map_err(io::Error::other)?;
            links.push(Link::Single(hook, link));
        }
        Ok(())
    }

    /// Takes probes away. For each link the kernel waits until no processor can be in its probes any more, some tens
    /// of milliseconds: for many at once it is one wait.
    pub(in crate::collect::ebpf) fn detach(&mut self, links: Vec<Link>) {
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
    pub(in crate::collect::ebpf) fn detach_ended(&mut self, links: Vec<Link>) {
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
}
