//! What a line says.
//!
//! ```text
//! Attaching to pid 5193, Ctrl+C to quit.                        a run begins
//! [11:16:33] Top 10 stacks with outstanding allocations:        a snapshot
//!         addr = 948cd0 size = 16                               a block, with -a
//!         80 bytes in 5 allocations from stack                  a stack's blocks, then its frames
//! ```

use super::frame;
use crate::read::text::TextFrame;

/// What is passed over of a stack: where a probe returns to is no caller.
const PROBES: &str = "[uprobes]";

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The tool began to look at a process, or at the kernel (`None`).
    Run { pid: Option<u32> },
    /// A snapshot, at this second of the day.
    Heading { second: u32 },
    /// All listed blocks of a stack.
    Entry { bytes: u64, blocks: u64 },
    /// One block: its stack has it, too.
    Block,
    /// A frame of the last entry's stack.
    Frame(TextFrame),
    /// The last entry's stack is not known.
    Lost,
    /// The tool could not show everything.
    Warning,
    /// An empty line, or what is no caller.
    Nothing,
    /// Anything else.
    Other,
}

impl Said {
    pub(super) fn of(line: &str) -> Said {
        let text = line.trim();
        if text.is_empty() {
            return Said::Nothing;
        }
        if text == "stack information lost" {
            return Said::Lost;
        }
        if text.starts_with("WARNING: ") && text.contains("stack traces could not be displayed") {
            return Said::Warning;
        }
        run(text)
            .or_else(|| heading(text))
            .or_else(|| entry(text))
            .or_else(|| block(text))
            .or_else(|| frame::read(text).map(framed))
            .unwrap_or(Said::Other)
    }
}

fn framed(frame: TextFrame) -> Said {
    match frame.module.as_deref() {
        Some(PROBES) => Said::Nothing,
        _ => Said::Frame(frame),
    }
}

fn run(text: &str) -> Option<Said> {
    // What libbpf-tools' prints does not say whose.
    if text.starts_with("Attaching to kernel allocators") {
        return Some(Said::Run { pid: None });
    }
    let pid = text.strip_prefix("Attaching to pid ")?.split(',').next()?;
    Some(Said::Run { pid: Some(number(pid)?) })
}

fn heading(text: &str) -> Option<Said> {
    let (time, rest) = text.strip_prefix('[')?.split_once("] Top ")?;
    let count = rest.strip_suffix(" stacks with outstanding allocations:")?;
    number::<u64>(count)?;
    let mut parts = time.split(':').map(|part| number::<u32>(part).filter(|n| *n < 61));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && hour < 24 && minute < 60)
        .then_some(Said::Heading { second: hour * 3600 + minute * 60 + second })
}

fn entry(text: &str) -> Option<Said> {
    let (bytes, rest) = text.split_once(" bytes in ")?;
    let blocks = rest.strip_suffix(" allocations from stack")?;
    Some(Said::Entry { bytes: number(bytes)?, blocks: number(blocks)? })
}

fn block(text: &str) -> Option<Said> {
    let (address, size) = text.strip_prefix("addr = ")?.split_once(" size = ")?;
    let digits = address.strip_prefix("0x").unwrap_or(address);
    let is_address = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_address && number::<u64>(size).is_some()).then_some(Said::Block)
}

/// Decimal digits and nothing else.
fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let heading = |second| Said::Heading { second };
        for (line, said) in [
            ("Attaching to pid 5193, Ctrl+C to quit.", Said::Run { pid: Some(5193) }),
            ("Attaching to kernel allocators, Ctrl+C to quit.", Said::Run { pid: None }),
            ("[11:16:33] Top 2 stacks with outstanding allocations:", heading(40_593)),
            ("[9:0:5] Top 0 stacks with outstanding allocations:", heading(32_405)),
            ("\t80 bytes in 5 allocations from stack", Said::Entry { bytes: 80, blocks: 5 }),
            ("80 bytes in 5 allocations from stack\r", Said::Entry { bytes: 80, blocks: 5 }),
            ("\taddr = 948cd0 size = 16", Said::Block),
            ("\taddr = 0x948cd0 size = 16", Said::Block),
            ("\t\tstack information lost", Said::Lost),
            ("\t\t[unknown] [[uprobes]]", Said::Nothing),
            ("", Said::Nothing),
        ] {
            assert_eq!(Said::of(line), said, "{line}");
        }
        for line in [
            "[24:00:00] Top 2 stacks with outstanding allocations:",
            "[1:2] Top 2 stacks with outstanding allocations:",
            "[1:2:3] Top +2 stacks with outstanding allocations:",
            "[1:2:3] Top 2 stacks with outstanding allocations",
            "-80 bytes in 5 allocations from stack",
            "80 bytes in 5 allocations",
            "99999999999999999999 bytes in 5 allocations from stack",
            "addr = xyz size = 16",
            "Attaching to pid many, Ctrl+C to quit.",
            "tracing kernel: false",
        ] {
            assert_eq!(Said::of(line), Said::Other, "{line}");
        }
    }
}
