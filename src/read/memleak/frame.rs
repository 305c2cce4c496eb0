//! One frame of a stack.
//!
//! ```text
//! main+0x6d [allocs]                                       BCC
//! 0x0000559b478700b7    main+0x4a7 [redis-server]          BCC, later
//! [unknown] [libfoo.so.1]                                  a module's place without a name
//! 0 [<000055d0c8a011c9>] main+0x6d [/usr/bin/allocs]       libbpf-tools
//! 0 [<000055d0c8a011c9>] <null sym>
//! ```

use crate::read::text::{TextFrame, after_0x, hex};

/// Reads a frame's line; `None` for what is none.
pub(super) fn read(line: &str) -> Option<TextFrame> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (address, text) = addressed(line);
    let (name, module) = in_module(text);
    let unknown = matches!(name, "" | "[unknown]" | "<null sym>");
    let (function, displacement) = match name.rsplit_once('+') {
        Some((function, digits)) => match after_0x(digits).and_then(hex) {
            Some(displacement) => (function, Some(displacement)),
            None => (name, None),
        },
        None => (name, None),
    };
    // A word by itself may be anything.
    let told = address.is_some() || module.is_some() || displacement.is_some() || unknown;
    let has_name = !unknown && !function.is_empty();
    told.then(|| TextFrame {
        module: module.map(str::to_owned),
        function: has_name.then(|| function.to_owned()),
        displacement: displacement.filter(|_| has_name),
        address,
        ..TextFrame::default()
    })
}

/// The address in front: `0x...` and a tab, or `N [<...>] `.
fn addressed(text: &str) -> (Option<u64>, &str) {
    let plain = || {
        let (digits, rest) = after_0x(text)?.split_once(char::is_whitespace)?;
        Some((hex(digits)?, rest))
    };
    let numbered = || {
        let (number, rest) = text.split_once(" [<")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        let (digits, rest) = rest.split_once(">]")?;
        Some((hex(digits)?, rest))
    };
    match plain().or_else(numbered) {
        Some((address, rest)) => (Some(address), rest.trim_start()),
        None => (None, text),
    }
}

/// Takes the module off the end. Names of functions have blanks and brackets, too.
fn in_module(text: &str) -> (&str, Option<&str>) {
    let Some(inner) = text.strip_suffix(']') else { return (text, None) };
    let (name, path) = match inner.rsplit_once(" [") {
        Some(parts) => parts,
        None => match inner.strip_prefix('[') {
            Some("unknown") | None => return (text, None),
            Some(path) => ("", path),
        },
    };
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    if file.is_empty() { (text, None) } else { (name.trim_end(), Some(file)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let of = |function: &str, displacement, module: &str, address| TextFrame {
            module: (!module.is_empty()).then(|| module.to_owned()),
            function: (!function.is_empty()).then(|| function.to_owned()),
            displacement,
            address,
            ..TextFrame::default()
        };
        let at = Some(0x559b_4787_00b7);
        let new = "operator new[](unsigned long)";
        for (line, frame) in [
            ("\t\tmain+0x6d [allocs]", of("main", Some(0x6d), "allocs", None)),
            ("\t\tkmalloc_order [kernel]", of("kmalloc_order", None, "kernel", None)),
            ("0x0000559b478700b7\tmain+0x4a7 [redis]", of("main", Some(0x4a7), "redis", at)),
            ("0x0000559b478700b7\t[unknown]", of("", None, "", at)),
            ("[unknown]", of("", None, "", None)),
            ("[unknown] [libfoo.so.1]", of("", None, "libfoo.so.1", None)),
            (
                "operator new[](unsigned long)+0x1c [libstdc++.so.6.0.30]",
                of(new, Some(0x1c), "libstdc++.so.6.0.30", None),
            ),
            (
                "\t12 [<0000559b478700b7>] main+0x4a7 [/usr/bin/redis (deleted)]",
                of("main", Some(0x4a7), "redis", at),
            ),
            ("\t0 [<0000559b478700b7>] [/usr/lib/libfoo.so.1]", of("", None, "libfoo.so.1", at)),
            ("\t0 [<0000559b478700b7>] <null sym>", of("", None, "", at)),
            ("\t0 [<0000559b478700b7>] main+0x4a7", of("main", Some(0x4a7), "", at)),
        ] {
            assert_eq!(read(line), Some(frame), "{line}");
        }
        for line in ["", "main", "some words", "a + b", "text []", "0x12"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
