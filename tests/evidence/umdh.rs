//! Logs as UMDH writes them: snapshots, which list addresses, and differences, which list names.

use std::fmt::Write;

use super::Case;

/// The number that UMDH gives a stack: none in both logs need be the same.
fn trace(stack: usize, which: usize) -> usize {
    0x3960 + 0x28 * stack + 0x1000 * which
}

/// The earlier (0) or later (1) snapshot. Blocks lie in two heaps; a stack is written at its first use.
pub fn snapshot(case: &Case, which: usize) -> String {
    let mut out = String::from("// Debug library initialized ...\n// Loaded modules: \n");
    out.push_str("//     Base Size Module\n");
    for module in &case.modules {
        writeln!(out, "//   {:>17X} {:>8X} {}", module.base, module.size, module.path).unwrap();
    }
    out.push_str("// \n// Process modules enumerated.\n");
    let mut written = vec![false; case.stacks.len()];
    for heap in [0x0014_0000, 0x0037_0000] {
        let dashes = "- ".repeat(10);
        writeln!(out, "\n*{dashes}Start of data for heap @ {heap:X} {dashes}\n").unwrap();
        writeln!(out, "    *{dashes}Heap {heap:08X} Hogs {dashes}\n").unwrap();
        for (at, stack) in case.stacks.iter().enumerate() {
            let first = stack.blocks[which] / 3;
            let blocks = if heap == 0x0014_0000 { 0..first } else { first..stack.blocks[which] };
            for block in blocks {
                let address = heap + 0x1000 + block * 0x800;
                let (size, trace) = (stack.size, trace(at, which));
                writeln!(out, "{size:X} bytes + 18 at {address:X} by BackTrace{trace:X}").unwrap();
                if !std::mem::replace(&mut written[at], true) {
                    for frame in &stack.frames {
                        writeln!(out, "\t{:X}", case.address(*frame)).unwrap();
                    }
                    out.push('\n');
                }
            }
        }
        writeln!(out, "\n*{dashes}End of data for heap @ {heap:X} {dashes}").unwrap();
    }
    out
}

/// How a difference is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// As with `umdh -d`.
    pub decimal: bool,
    /// As the tool of Windows 2000 wrote it: no line for blocks, no overhead.
    pub old: bool,
    /// Wrong by so many bytes in its total.
    pub off: i64,
}

/// Hexadecimal, with everything.
pub const USUAL: Form = Form { decimal: false, old: false, off: 0 };

/// The difference of the two snapshots, largest first; stacks that did not change are left out.
pub fn difference(case: &Case, form: Form) -> String {
    let number = |n: i64| if form.decimal { n.to_string() } else { format!("{n:x}") };
    let mut out =
        String::from("// Debug library initialized ...\nDBGHELP: ntdll - export symbols\n");
    out.push_str(
        "         C:\\symbols\\ntdll.pdb\n// Each log entry has the following syntax:\n//\n",
    );
    out.push_str("// + BYTES_DELTA (NEW_BYTES - OLD_BYTES) NEW_COUNT allocs BackTrace TRACEID\n\n");
    let mut total = form.off;
    for (at, stack) in case.stacks.iter().enumerate() {
        let [old, new] = stack.blocks.map(i64::from);
        let size = i64::from(stack.size);
        if old == new {
            continue;
        }
        total += (new - old) * size;
        let sign = if new < old { '-' } else { '+' };
        let trace = trace(at, 1);
        let line = |old: i64, new: i64| {
            let by = number((new - old).abs());
            format!("{sign} {by:>7} ({:>7} - {:>7})", number(new), number(old))
        };
        let bytes = line(old * size, new * size);
        writeln!(out, "{bytes} {:>6} allocs\tBackTrace{trace:X}", number(new)).unwrap();
        if !form.old {
            writeln!(out, "{}\tBackTrace{trace:X}\tallocations\n", line(old, new)).unwrap();
        }
        for (module, function, offset) in &stack.frames {
            let name = case.module_name(*module);
            match function {
                Some(function) => writeln!(out, "\t{name}!{function}+{offset:08X}").unwrap(),
                None => writeln!(out, "\t{name}+{offset:X}").unwrap(),
            }
        }
        out.push('\n');
    }
    let direction = if total < 0 { "decrease" } else { "increase" };
    let (total, overhead) = (total.abs(), 0x5a80);
    if form.old {
        writeln!(out, "Total {direction} == {}", number(total)).unwrap();
    } else {
        let [requested, overhead, sum] = [total, overhead, total + overhead].map(number);
        writeln!(
            out,
            "Total {direction} == {requested:>6} requested + {overhead:>6} overhead = {sum:>6}"
        )
        .unwrap();
    }
    out
}
