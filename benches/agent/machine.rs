//! What the figures were measured on and with.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::options::Options;
use crate::tracer::Tracers;

/// A paragraph: processor, kernel, C library, versions, seed.
pub fn describe(options: &Options, tracers: &Tracers) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let information = read("/proc/cpuinfo");
    let processor = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown processor", |(_, name)| name.trim());
    let system = read("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("Linux", |name| name.trim_matches('"'));
    let heaptrack = tracers.heaptrack.as_deref().map_or_else(
        || "no heaptrack (`apt install heaptrack`)".to_owned(),
        |program| first_line(program, "--version"),
    );
    format!(
        "{} of {processor}; {system}, kernel {}, {}; {}, unfreed {}, {heaptrack}; \
         {} rounds{}, seed {}; load average {} at the start.\n",
        available_parallelism().map_or(0, usize::from),
        read("/proc/sys/kernel/osrelease").trim(),
        first_line(Path::new("getconf"), "GNU_LIBC_VERSION"),
        first_line(Path::new("cc"), "--version"),
        env!("CARGO_PKG_VERSION"),
        options.rounds(),
        if options.quick { ", quick" } else { "" },
        options.seed,
        read("/proc/loadavg").split(' ').next().unwrap_or("?"),
    )
}

fn first_line(program: &Path, argument: &str) -> String {
    let done = Command::new(program).arg(argument).output();
    let out = done.map(|done| done.stdout).unwrap_or_default();
    String::from_utf8_lossy(&out).lines().next().unwrap_or("?").to_owned()
}
