//! The probes in this machine's own kernel.

use std::fmt::Display;
use std::panic::Location;
use std::path::Path;

use super::*;
use crate::collect::ebpf::kernel::Places;
use crate::collect::ebpf::obstacle;

#[path = "../../../../tests/support/skip.rs"]
mod skip;

const SIZES: Sizes = Sizes { ring: 1 << 16, rows: 1 << 10, threads: 64, sampled: 64 };

/// Whether probes can be loaded here; says so if not, as other tests do.
#[track_caller]
fn loads() -> bool {
    let obstacle = obstacle::everywhere().err();
    if let Some(why) = &obstacle {
        let test = Location::caller();
        skip::announce(&why.to_string(), test.file(), test.line());
    }
    obstacle.is_none()
}

/// A kernel before 6.6 takes the programs, and must be found out all the same; early ones of 6.6 to 6.9 too.
#[test]
fn one_link_holds_many_places_where_the_kernel_says_so() {
    if !loads() {
        return;
    }
    let purpose = Purpose::Allocations(Links::Few, None);
    let is_multi = Probe::load(SIZES, false, purpose).unwrap().0.is_multi();
    let kernel = Kernel::here().unwrap();
    if kernel < Kernel(6, 6) || kernel >= Kernel(6, 10) {
        assert_eq!(is_multi, kernel >= Kernel(6, 6), "{kernel:?}");
    }
}

/// What kernels before 5.17 have.
#[test]
fn stacks_can_be_walked_by_loops_over_maps() {
    if !loads() {
        return;
    }
    let sampled = Some(Bytes(4096));
    for purpose in [
        Purpose::Allocations(Links::Few, None),
        Purpose::Allocations(Links::Many, sampled),
        Purpose::Growth,
    ] {
        Probe::load_for(false, SIZES, true, purpose).unwrap();
    }
}

/// What kernels before 6.6 have.
#[test]
fn each_place_can_have_a_link_of_its_own() {
    if !loads() {
        return;
    }
    let (mut probe, _) =
        Probe::load(SIZES, false, Purpose::Allocations(Links::Many, None)).unwrap();
    assert!(!probe.is_multi());
    let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    // The beginning of its code: never come to, for it sleeps.
    let places = Places { offsets: vec![0x2100], cookies: vec![1 << 32] };
    let file = format!("/proc/{}/exe", sleeper.id());
    for hook in Hook::ALL {
        let wanted = [(hook, places.clone())];
        let links = probe.attach(Path::new(&file), sleeper.id(), &wanted).unwrap();
        assert_eq!(links.len(), 1);
        probe.detach(links);
    }
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

/// A process may execute something else between two of its probes.
#[test]
fn where_not_all_probes_can_be_put_none_stays() {
    if !loads() {
        return;
    }
    let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let file = format!("/proc/{}/exe", sleeper.id());
    let there = Places { offsets: vec![0x2100], cookies: vec![1 << 32] };
    let nowhere = Places { offsets: vec![u64::MAX / 4], cookies: vec![1 << 32] };
    for held in [Links::Few, Links::Many] {
        let (mut probe, _) = Probe::load(SIZES, false, Purpose::Allocations(held, None)).unwrap();
        let first = [(Hook::Release, there.clone())];
        let both = [(Hook::Release, there.clone()), (Hook::Allocation, nowhere.clone())];
        // Of processes' beginnings and ends.
        let before = probe.held();
        let links = probe.attach(Path::new(&file), sleeper.id(), &first).unwrap();
        assert_eq!(probe.held(), before + 1, "{held:?}");
        probe.detach(links);
        assert_eq!(probe.held(), before, "{held:?}");
        assert!(probe.attach(Path::new(&file), sleeper.id(), &both).is_err(), "{held:?}");
        assert_eq!(probe.held(), before, "{held:?}: the first stayed");
    }
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

impl Probe {
    /// How many links of its programs this process holds. (A child that another test begins has copies of all until it
    /// executes: the kernel keeps them for as long.)
    fn held(&self) -> usize {
        let single = self.ebpf.programs().filter_map(|(_, program)| program.fd().ok());
        let single = single.map(|fd| fd.as_fd().as_raw_fd());
        let all = single.chain(self.multi.iter().map(AsRawFd::as_raw_fd));
        let own: Vec<u32> = all.map(|fd| number(&about(&fd), "prog_id:").unwrap()).collect();
        let open = std::fs::read_dir("/proc/self/fdinfo").unwrap();
        let open = open.map(|entry| about(&entry.unwrap().file_name().to_string_lossy()));
        let links = open.filter(|about| number(about, "link_id:").is_some());
        links.filter(|about| number(about, "prog_id:").is_some_and(|id| own.contains(&id))).count()
    }
}

/// What the kernel says of an open file of this process; nothing of one that has been closed meanwhile.
fn about(fd: &impl Display) -> String {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default()
}

fn number(about: &str, field: &str) -> Option<u32> {
    about.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
}
