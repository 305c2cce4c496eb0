//! What memleak prints: one snapshot each minute, of a stack that leaks, one that stays as it is, and one that only some
//! snapshots list.
#![allow(dead_code, reason = "each test uses its part")]

use std::fmt::Write;

/// Whose form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// BCC's, before addresses came into it.
    Old,
    /// BCC's.
    Bcc,
    /// That of libbpf-tools.
    Libbpf,
}

/// All of them.
pub const FORMS: [Form; 3] = [Form::Old, Form::Bcc, Form::Libbpf];

const LEAK: &[(&str, u32, &str)] = &[
    ("operator new[](unsigned long)", 0x1c, "libstdc++.so.6.0.30"),
    ("Session::keep(char const*)", 0x4a, "libsession.so.2"),
    ("main", 0x6d, "mailer"),
    ("_start", 0x25, "mailer"),
];
const STEADY: &[(&str, u32, &str)] =
    &[("table_grow", 0x99, "mailer"), ("main", 0x31, "mailer"), ("_start", 0x25, "mailer")];
const LATE: &[(&str, u32, &str)] =
    &[("log_open", 0x12, "liblog.so.1"), ("main", 0x80, "mailer"), ("_start", 0x25, "mailer")];

/// A snapshot for each of the numbers, which are the leaking stack's blocks and bytes.
pub fn write(leaking: &[(u64, u64)], form: Form) -> String {
    let mut out = begin(form);
    for (minute, live) in (0..).zip(leaking) {
        snapshot(&mut out, minute, &[("leak", *live), ("steady", (40, 20_480))], form);
    }
    out
}

/// What stands before the first snapshot.
pub fn begin(form: Form) -> String {
    match form {
        Form::Libbpf => "using default object: libc.so.6\ntracing kernel: false\n\
                         Tracing outstanding memory allocs...  Hit Ctrl-C to end\n"
            .to_owned(),
        Form::Old | Form::Bcc => "Attaching to pid 5193, Ctrl+C to quit.\n".to_owned(),
    }
}

/// One snapshot, so many minutes before or after midnight: what lives of `leak`, `steady` and `late`.
pub fn snapshot(out: &mut String, minute: i64, listed: &[(&str, (u64, u64))], form: Form) {
    let of_day = (24 * 60 - 2 + minute) % (24 * 60);
    let (hour, minute) = (of_day / 60, of_day % 60);
    match form {
        Form::Libbpf => writeln!(
            out,
            "[{hour}:{minute}:7] Top {} stacks with outstanding allocations:",
            listed.len()
        ),
        _ => {
            writeln!(out, "[{hour:02}:{minute:02}:07] Top 10 stacks with outstanding allocations:")
        }
    }
    .unwrap();
    for (name, (blocks, bytes)) in listed {
        let frames = match *name {
            "leak" => LEAK,
            "steady" => STEADY,
            _ => LATE,
        };
        let indent = if form == Form::Libbpf { "" } else { "\t" };
        writeln!(out, "{indent}{bytes} bytes in {blocks} allocations from stack").unwrap();
        for (at, (function, offset, module)) in frames.iter().enumerate() {
            let address = 0x55d0_c8a0_0000u64 + u64::from(*offset);
            match form {
                Form::Old => writeln!(out, "\t\t{function}+{offset:#x} [{module}]"),
                Form::Bcc => {
                    writeln!(out, "\t\t{address:#018x}\t{function}+{offset:#x} [{module}]")
                }
                Form::Libbpf => writeln!(
                    out,
                    "\t{at} [<{address:016x}>] {function}+{offset:#x} [/usr/lib/{module}]"
                ),
            }
            .unwrap();
        }
    }
    out.push('\n');
}
