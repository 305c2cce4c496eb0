//! Function names as catalogues write them (`IMAPISession::OpenMsgStore`) held against names as
//! symbol tables, program databases and demanglers give them (`public: virtual long __stdcall
//! IMAPISession::OpenMsgStore(unsigned long, ...)`, `_InitializeCriticalSection@4`,
//! `packet__read_string.part.0`). Case counts, and a name never fits another that merely contains it.

/// The qualified name within a symbol: without module, return type, arguments, decorations of
/// the calling convention and marks of compiler-made copies.
pub(super) fn bare(symbol: &str) -> &str {
    let symbol = symbol.trim();
    let symbol = match symbol.split_once('!') {
        Some((module, rest))
            if module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') =>
        {
            rest
        }
        _ => symbol,
    };
    let name = last_word(without_arguments(symbol));
    undecorated(name)
}

/// Cuts before the bracket that opens the argument list.
fn without_arguments(symbol: &str) -> &str {
    let mut depth = 0usize;
    for (at, c) in symbol.char_indices() {
        let (before, after) = symbol.split_at(at);
        match c {
            '<' if !before.ends_with("operator") => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            '(' if depth == 0
                && !before.is_empty()
                && !before.ends_with("operator")
                && !after.starts_with("(anonymous") =>
            {
                return before;
            }
            _ => {}
        }
    }
    symbol
}

/// Drops return type and specifiers: what comes before the last blank outside template arguments.
fn last_word(name: &str) -> &str {
    let mut depth = 0usize;
    let mut from = 0;
    for (at, c) in name.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && !name.get(..at).is_some_and(|n| n.ends_with("operator")) => {
                from = at + 1;
            }
            _ => {}
        }
    }
    name.get(from..).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// Drops `.part.0`, `@@GLIBC_2.2`, and the frame of `_Name@8` and `@Name@8`.
fn undecorated(name: &str) -> &str {
    if name.starts_with('?') {
        return name; // A mangled name of Microsoft's; its signs mean something else.
    }
    let copy = name.char_indices().skip(1).find(|&(_, c)| c == '.');
    let name = copy.and_then(|(at, _)| name.get(..at)).unwrap_or(name);
    let at = name.char_indices().skip(1).find(|&(_, c)| c == '@').map(|(at, _)| at);
    let Some((stem, suffix)) = at.and_then(|at| Some((name.get(..at)?, name.get(at + 1..)?)))
    else {
        return name;
    };
    let convention = !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit());
    if convention { stem.strip_prefix(['_', '@']).unwrap_or(stem) } else { stem }
}

/// Whether a bare name is the one a catalogue names: the same, or, for a qualified one, the
/// same with more in front (`MAPI::IMAPISession::OpenMsgStore`).
pub(super) fn is(name: &str, wanted: &str) -> bool {
    if name == wanted {
        return true;
    }
    wanted.contains("::") && name.strip_suffix(wanted).is_some_and(|front| front.ends_with("::"))
}

#[cfg(test)]
mod tests {
    use super::{bare, is};

    #[test]
    fn symbols_of_every_kind_come_down_to_their_names() {
        for (symbol, name) in [
            ("packet__read_string", "packet__read_string"),
            ("packet__read_string.part.0", "packet__read_string"),
            ("handle__publish.isra.0.cold", "handle__publish"),
            ("malloc@@GLIBC_2.2.5", "malloc"),
            ("_InitializeCriticalSection@4", "InitializeCriticalSection"),
            ("@fast@8", "fast"),
            ("ntdll!RtlInitializeCriticalSection", "RtlInitializeCriticalSection"),
            ("IMAPISession::OpenMsgStore(unsigned long, void*)", "IMAPISession::OpenMsgStore"),
            (
                "public: virtual long __stdcall IMAPISession::OpenMsgStore(unsigned long)",
                "IMAPISession::OpenMsgStore",
            ),
            ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
            (
                "std::vector<int, std::allocator<int> >::push_back(int&&)",
                "std::vector<int, std::allocator<int> >::push_back",
            ),
            ("Functor::operator()(int) const", "Functor::operator()"),
            ("?Foo@Bar@@QAEXXZ", "?Foo@Bar@@QAEXXZ"),
            ("", ""),
            ("(", "("),
            ("é.x", "é"),
        ] {
            assert_eq!(bare(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn only_whole_names_fit() {
        assert!(is("IMAPISession::OpenMsgStore", "IMAPISession::OpenMsgStore"));
        assert!(is("MAPI::IMAPISession::OpenMsgStore", "IMAPISession::OpenMsgStore"));
        assert!(!is("XIMAPISession::OpenMsgStore", "IMAPISession::OpenMsgStore"));
        assert!(!is("IMAPISession::OpenMsgStoreEx", "IMAPISession::OpenMsgStore"));
        assert!(!is("lib::packet__read_string", "packet__read_string"));
        assert!(!is("Packet__read_string", "packet__read_string"));
    }
}
