//! The system calls that the agent makes while it starts, and whether a service's filter lets it.
//!
//! Beyond these the loader does for the agent what it does for every library; a filter that forbade
//! that would let no program start. The list was measured with `strace -f`, and `tests/unit.rs`
//! measures it again.

use super::properties::Properties;

/// What the agent calls as it starts, and again in a forked child, in the order of the alphabet.
pub(super) const NEEDED: [&str; 12] = [
    "brk",
    "close",
    "getpid",
    "gettid",
    "lseek",
    "madvise",
    "membarrier",
    "mmap",
    "munmap",
    "openat",
    "prlimit64",
    "readlink",
];

/// The needed calls that the filter of a service forbids. A filter is a list of the calls that are
/// allowed or, after `~`, of those that are not; each may have an error of its own after a colon.
pub(super) fn forbidden(properties: &Properties) -> Vec<&'static str> {
    let filter = properties.text("SystemCallFilter").trim();
    if filter.is_empty() {
        return Vec::new();
    }
    let (deny, list) = filter.strip_prefix('~').map_or((false, filter), |list| (true, list));
    let listed: Vec<&str> =
        list.split_whitespace().map(|word| word.split(':').next().unwrap_or(word)).collect();
    NEEDED.into_iter().filter(|call| listed.contains(call) == deny).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(filter: &str) -> Vec<&'static str> {
        forbidden(&Properties::parse(&format!("SystemCallFilter={filter}\n")))
    }

    #[test]
    fn a_filter_allows_what_it_lists() {
        assert_eq!(of(""), [""; 0]);
        let all = NEEDED.join(" ");
        assert_eq!(of(&format!("read write {all}")), [""; 0]);
        assert_eq!(of(&all.replace("membarrier ", "")), ["membarrier"]);
    }

    #[test]
    fn a_filter_with_a_tilde_forbids_what_it_lists() {
        assert_eq!(of("~mount umount2 readlink:EPERM"), ["readlink"]);
        assert_eq!(of("~mount umount2"), [""; 0]);
    }
}
