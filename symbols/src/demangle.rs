//! Demangling of C++ and Rust names, bounded: a mangled name of a few hundred bytes can
//! describe gigabytes of text. A name that cannot be demangled within bounds stays as it is.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// The longest mangled name looked at, in bytes.
const MANGLED_MOST: usize = 16 << 10;
/// The longest demangled name made, in bytes.
const DEMANGLED_MOST: usize = 16 << 10;
/// How deep a name may nest.
const DEPTH_MOST: u32 = 96;

/// The name as its programmer wrote it. C++ names keep their parameters and lose their return
/// type; Rust names lose their hash.
pub fn demangle(raw: &str) -> String {
    if raw.len() > MANGLED_MOST {
        return clipped(raw);
    }
    if let Ok(name) = rustc_demangle::try_demangle(raw)
        && let Some(text) = written(|out| write!(out, "{name:#}"))
    {
        return text;
    }
    if raw.starts_with("_Z")
        && let Ok(name) =
            Symbol::new_with_options(raw, &ParseOptions::default().recursion_limit(DEPTH_MOST))
        && let Some(text) = written(|out| {
            let options = DemangleOptions::new().no_return_type().recursion_limit(DEPTH_MOST);
            name.structured_demangle(out, &options)
        })
    {
        return text;
    }
    raw.to_owned()
}

fn clipped(raw: &str) -> String {
    let mut end = MANGLED_MOST;
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &raw[..end])
}

fn written(write: impl FnOnce(&mut Bounded) -> fmt::Result) -> Option<String> {
    let mut out = Bounded(String::new());
    write(&mut out).ok()?;
    (!out.0.is_empty()).then_some(out.0)
}

/// Text that refuses to grow beyond its bound.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > DEMANGLED_MOST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_read_as_written() {
        for (raw, name) in [
            ("main", "main"),
            ("packet__read_string", "packet__read_string"),
            ("_ZN4mail6Server7receiveERKSs", "mail::Server::receive(std::string const&)"),
            ("_Z4makeIiEN2ns3BoxIT_EES1_", "make<int>(ns::Box)"),
            ("_Znwm", "operator new(unsigned long)"),
            ("_ZN5alloc3vec12Vec$LT$T$GT$4push17h0123456789abcdefE", "alloc::vec::Vec<T>::push"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN", "_ZN"),
            ("", ""),
        ] {
            assert_eq!(demangle(raw), name);
        }
    }

    #[test]
    fn a_name_that_would_explode_stays_mangled() {
        // Each parameter is a pair of the one before it, so that its text doubles.
        let bomb = |levels: u32| {
            let digit = |n: u32| char::from_digit(n, 36).unwrap().to_ascii_uppercase();
            let pairs = (0..levels).map(|n| format!("S_IS{0}_S{0}_E", digit(n)));
            format!("_Z1f1PIiiE{}", pairs.collect::<String>())
        };
        let pair = "P<int, int>";
        let expected = format!("f({pair}, P<{pair}, {pair} >)");
        assert_eq!(demangle(&bomb(1)), expected);
        assert_eq!(demangle(&bomb(36)), bomb(36));
        let long = format!("_ZN{}", "1a".repeat(MANGLED_MOST));
        assert!(demangle(&long).len() <= MANGLED_MOST + 3);
    }
}
