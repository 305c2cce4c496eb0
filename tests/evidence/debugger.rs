//! What a debugger shows of a case's process.

use std::fmt::Write;

use super::Case;

/// `lmv`: every module with its version.
pub fn modules(case: &Case) -> String {
    let mut out = String::from("0:000> lmv\nstart    end        module name\n");
    for (at, module) in case.modules.iter().enumerate() {
        let (base, end) = (module.base, module.base + module.size);
        let (name, file) = (case.module_name(at), case.file_name(at));
        writeln!(out, "{base:08x} {end:08x}   {name:<10} (deferred)             ").unwrap();
        writeln!(out, "    Image path: {}\n    Image name: {file}", module.path).unwrap();
        let stamp = module.timestamp.unwrap_or(0x4263_0000 + at as u32);
        writeln!(out, "    Timestamp:        Mon Apr 18 06:47:00 2005 ({stamp:08X})").unwrap();
        writeln!(
            out,
            "    CheckSum:         0020{at:04X}\n    ImageSize:        {:08X}",
            module.size
        )
        .unwrap();
        writeln!(out, "    File version:     {0}\n    Product version:  {0}", module.version)
            .unwrap();
        out.push_str("    File flags:       0 (Mask 3F)\n    File OS:          40004 NT Win32\n");
        out.push_str("    File type:        2.0 Dll\n    Translations:     0409.04b0\n");
        out.push_str(
            "    CompanyName:      Microsoft Corporation\n    ProductName:      Made up: a test\n",
        );
    }
    out.push_str("\nUnloaded modules:\n70000000 70010000   gone.dll\n    Timestamp: unavailable (00000000)\n");
    out.push_str("0:000> q\nquit:\n");
    out
}

/// `!heap -s`: what each heap has committed, in KiB.
pub fn heaps(committed: &[u32]) -> String {
    let mut out = String::from("0:004> !heap -s\nLFH Key                   : 0x23227b77\n");
    out.push_str("  Heap     Flags   Reserv  Commit  Virt   Free  List   UCR  Virt  Lock  Fast \n");
    out.push_str("                    (k)     (k)    (k)     (k) length      blocks cont. heap \n");
    let rule = "-".repeat(77);
    writeln!(out, "{rule}").unwrap();
    for (at, kib) in committed.iter().enumerate() {
        let heap = 0x0014_0000 + at * 0x0010_0000;
        writeln!(
            out,
            "{heap:08x} 00000002 {:>7} {kib:>6} {:>6}      1     9     1   43      1   LFH",
            kib * 2,
            kib * 2
        )
        .unwrap();
        out.push_str("    External fragmentation  14 % (346 free blocks)\n");
    }
    writeln!(out, "{rule}").unwrap();
    out
}

/// `!heap -stat -h`: blocks by size.
pub fn sizes(heap: u32, sizes: &[(u32, u32)]) -> String {
    let mut out = format!("0:004> !heap -stat -h {heap:08x}\n heap @ {heap:08x}\n");
    out.push_str("group-by: TOTSIZE max-display: 20\n");
    out.push_str("    size     #blocks     total     ( %) (percent of total busy bytes)\n");
    for (size, blocks) in sizes {
        writeln!(out, "    {size:x} {blocks:x} - {:x}  (33.33)", size * blocks).unwrap();
    }
    out.push_str("0:004> q\n");
    out
}
