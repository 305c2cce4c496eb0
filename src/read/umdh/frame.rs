//! One frame of a stack: an address, or `module!function+OFFSET`, with what else there may be.

use crate::read::text::{TextFrame, after_0x, hex};

/// Reads a frame's line; `None` for what is none.
pub(super) fn read(line: &str) -> Option<TextFrame> {
    let text = line.trim();
    if let Some(address) = address(text) {
        return Some(TextFrame { address: Some(address), ..TextFrame::default() });
    }
    // Names of functions have blanks, those of modules have none.
    let end = text.find(['!', '+'])?;
    let (module, rest) = text.split_at(end);
    let no_module = module == "<no module>";
    if module.is_empty() || module.contains(char::is_whitespace) && !no_module {
        return None;
    }
    let (rest, file, line) = source(rest);
    let (rest, address) = match rest.rsplit_once(" : ") {
        Some((rest, digits)) if address(digits).is_some() => (rest, address(digits)),
        _ => (rest, None),
    };
    let named = rest.strip_prefix('!');
    let (name, displacement) = match rest.rsplit_once('+') {
        Some((name, digits)) => match self::address(digits.trim()) {
            Some(displacement) => (name, Some(displacement)),
            None if named.is_some() => (rest, None),
            None => return None,
        },
        None => (rest, None),
    };
    let name = name.strip_prefix('!').unwrap_or(name).trim();
    let unknown = name.is_empty() || name.starts_with("???");
    if named.is_none() && displacement.is_none() {
        return None;
    }
    Some(TextFrame {
        module: (!no_module).then(|| module.to_owned()),
        function: (!unknown).then(|| name.to_owned()),
        displacement: displacement.filter(|_| !no_module || !unknown),
        address: address.or(displacement.filter(|_| no_module && unknown)),
        file,
        line,
    })
}

/// Digits alone, with or without `0x`.
fn address(text: &str) -> Option<u64> {
    hex(after_0x(text).unwrap_or(text))
}

/// Takes ` (file, line)` off the end.
fn source(text: &str) -> (&str, Option<String>, Option<u32>) {
    let found = || {
        let inner = text.strip_suffix(')')?;
        let (rest, line) = inner.rsplit_once(',')?;
        let line = line.trim().parse().ok()?;
        // Names and files have brackets, too: the offset stands before the right one.
        let ends_in_digits = |rest: &str| {
            let digits = rest.rsplit(['+', ' ']).next().unwrap_or_default();
            address(digits).is_some()
        };
        let mut openings = rest.match_indices(" (").map(|(at, _)| rest.split_at(at));
        let (rest, file) = openings.find(|(rest, _)| ends_in_digits(rest))?;
        Some((rest, Some(file[2..].trim().to_owned()), Some(line)))
    };
    found().unwrap_or((text, None, None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_form_is_read() {
        let named = |module: &str, function: &str, displacement| TextFrame {
            module: Some(module.to_owned()),
            function: Some(function.to_owned()),
            displacement: Some(displacement),
            ..TextFrame::default()
        };
        let with_source = TextFrame {
            file: Some("c:\\a b (x)\\leaks.cpp".to_owned()),
            line: Some(228),
            ..named("Leaks", "operator new", 0x83)
        };
        let unnamed = |offset| TextFrame { function: None, ..named("cdoexm", "", offset) };
        for (line, frame) in [
            ("\tntdll!RtlAllocateHeap+00000274", named("ntdll", "RtlAllocateHeap", 0x274)),
            ("  MyApp!main+0x0000002C", named("MyApp", "main", 0x2c)),
            ("Leaks!operator new+83 (c:\\a b (x)\\leaks.cpp, 228)", with_source),
            ("a!operator++(int)+5", named("a", "operator++(int)", 5)),
            ("cdoexm+0x4a10", unnamed(0x4a10)),
            ("cdoexm!+4a10", unnamed(0x4a10)),
            (
                "\t7FFE82352933",
                TextFrame { address: Some(0x7ffe_8235_2933), ..TextFrame::default() },
            ),
            (
                "<no module>!???+77D27AE4",
                TextFrame { address: Some(0x77d2_7ae4), ..TextFrame::default() },
            ),
        ] {
            assert_eq!(read(line), Some(frame), "{line}");
        }
        let with_address = read("ntdll!RtlAllocateHeap+274 : 77D27AE4").unwrap();
        assert_eq!(with_address.address, Some(0x77d2_7ae4));
        assert_eq!(with_address.displacement, Some(0x274));
        for line in ["", "some words", "a b!c", "a+x", "!x", "d:\\symbols\\ntdll.pdb"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
