//! Logs as LeakDiag writes them: XML with a schema in front, symbols looked up as it logs.

use std::fmt::Write;

use super::Case;

/// How a log is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Whether the names of functions were looked up.
    pub symbols: bool,
    /// Each stack in two entries, one for each heap.
    pub split: bool,
}

/// The earlier (0) or later (1) log.
pub fn log(case: &Case, which: usize, form: Form) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?>\r\n<logdata>\r\n");
    out.push_str("<xs:schema id=\"logdata\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\r\n");
    // Long enough that the list begins behind what is looked at.
    for element in ["LEAKS", "STACK", "STACKSTATS", "SIZESTAT", "HEAPSTAT", "FRAME"].repeat(12) {
        writeln!(
            out,
            "  <xs:element name=\"{element}\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>\r"
        )
        .unwrap();
    }
    out.push_str("</xs:schema>\r\n<LEAKS ver=\"1.25.28.2002\">\r\n");
    for stack in &case.stacks {
        let all = stack.blocks[which];
        let parts = if form.split { vec![all / 3, all - all / 3] } else { vec![all] };
        for (part, heap) in parts.into_iter().zip(["140000", "7d0000"]) {
            let total = part * stack.size;
            let size = stack.size;
            writeln!(out, "<STACK numallocs=\"{part}\" size=\"{size}\" totalsize=\"{total}\">\r")
                .unwrap();
            writeln!(out, "<STACKSTATS><SIZESTAT size=\"{size}\" numallocs=\"{part}\"/>\r")
                .unwrap();
            writeln!(out, "<HEAPSTAT handle=\"{heap}\" numallocs=\"{part}\"/></STACKSTATS>\r")
                .unwrap();
            for (number, frame) in stack.frames.iter().enumerate() {
                let dll = case.file_name(frame.0);
                let (function, offset) = match frame.1.filter(|_| form.symbols) {
                    Some(function) => (function, frame.2),
                    None => ("", 0),
                };
                let address = case.address(*frame);
                writeln!(
                    out,
                    "<FRAME num=\"{number}\" dll=\"{dll}\" function=\"{function}\" offset=\"0x{offset:x}\" \
                     filename=\"\" line=\"\" addr=\"0x{address:x}\"/>\r"
                )
                .unwrap();
            }
            out.push_str("</STACK>\r\n");
        }
    }
    out.push_str("</LEAKS>\r\n</logdata>\r\n");
    out
}
