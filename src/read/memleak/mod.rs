//! What `memleak` of BCC prints (`memleak-bpfcc`, and the one of libbpf-tools): again and again, the stacks that hold
//! most of what was allocated since it began. A stack that is not among them is unknown then, neither empty nor
//! freed, and the trace says so ([`FactKind::ListsSome`](crate::event::FactKind::ListsSome)).

mod frame;
mod line;
mod reader;

pub use reader::Reader;

use line::Said;

/// Whether a text begins as output of memleak: its heading stands as a line of its own, and what follows is what follows
/// a heading. Other texts may quote either.
pub(super) fn is_memleak(opening: &str) -> bool {
    let mut lines = opening.lines().map(Said::of).filter(|said| *said != Said::Nothing);
    let headed = lines.any(|said| matches!(said, Said::Heading { .. }));
    let next = lines.next();
    headed
        && matches!(
            next,
            None | Some(Said::Heading { .. } | Said::Entry { .. } | Said::Block | Said::Warning)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_heading_with_what_belongs_to_it_is_memleaks() {
        let heading = "[11:16:33] Top 2 stacks with outstanding allocations:";
        for text in [
            heading.to_owned(),
            format!(
                "Attaching to pid 7, Ctrl+C to quit.\n{heading}\n\t80 bytes in 5 allocations from stack\n"
            ),
            format!("$ memleak -p 7\n{heading}\r\n\r\n\taddr = 948cd0 size = 16\r\n"),
            format!("{heading}\n{heading}\n"),
        ] {
            assert!(is_memleak(&text), "{text}");
        }
        for text in [
            String::new(),
            format!("It prints \"{heading}\" and so on.\n"),
            format!("{heading}\nThis is what memleak prints first.\n"),
            "\t80 bytes in 5 allocations from stack\n\t\tmain+0x6d [allocs]\n".to_owned(),
            "[11:16:33] Top stacks with outstanding allocations:\n".to_owned(),
        ] {
            assert!(!is_memleak(&text), "{text}");
        }
    }
}
