//! The names that Windows' compilers give to the linker, as their programmers wrote them: C++ names of
//! MSVC, and on x86 the marks of C's calling conventions. Bounded: a mangled name of a few hundred
//! bytes can describe gigabytes of text. A name that cannot be read within bounds stays as it is.

use msvc_demangler::DemangleFlags;

use crate::demangle::demangle;

/// The longest MSVC name looked at, in bytes: MSVC itself writes a hash instead of longer ones.
const MANGLED_MOST: usize = 4 << 10;
/// The longest that is parsed on any stack: the parser recurses for every other byte at worst.
const SHALLOW_MOST: usize = 128;
/// Bytes of stack for longer ones: some kilobytes for each level.
const STACK: usize = 64 << 20;
/// Parts that the whole of a name may have.
const PARTS_MOST: u64 = 1 << 20;

/// How a file's C functions are decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoration {
    /// Not at all (x64).
    Plain,
    /// `_cdecl`, `_stdcall@8`, `@fastcall@8` (x86).
    X86,
}

/// The name without decoration. C++ names keep their parameters and lose their return type.
pub(crate) fn undecorated(raw: &str, decoration: Decoration) -> String {
    if raw.starts_with('?') {
        return cxx(raw).unwrap_or_else(|| raw.to_owned());
    }
    let name = match decoration {
        // A name with parameters was written by a program database, not by a linker.
        Decoration::X86 if !raw.contains(['(', ' ', ':']) => x86(raw),
        _ => raw,
    };
    demangle(name)
}

fn cxx(raw: &str) -> Option<String> {
    if raw.len() > MANGLED_MOST || parts(raw) > PARTS_MOST {
        return None;
    }
    let flags = DemangleFlags::NO_ACCESS_SPECIFIERS
        | DemangleFlags::NO_FUNCTION_RETURNS
        | DemangleFlags::NO_MEMBER_TYPE
        | DemangleFlags::MS_TYPENAMES
        | DemangleFlags::NO_MS_KEYWORDS
        | DemangleFlags::NO_THISTYPE
        | DemangleFlags::NO_CLASS_TYPE
        | DemangleFlags::SPACE_AFTER_COMMA
        | DemangleFlags::HUG_TYPE;
    let demangle = || msvc_demangler::demangle(raw, flags).ok();
    let name = if raw.len() <= SHALLOW_MOST {
        demangle()?
    } else {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, demangle).ok()?.join().ok()?
        })?
    };
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// How many parts the name can have when written out, at most. A digit stands for a type that came
/// before it; where that is a function's type it holds digits itself, so that each level multiplies.
fn parts(raw: &str) -> u64 {
    let bytes = raw.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count() as u64;
    let functions = bytes
        .windows(2)
        .filter(|pair| matches!(pair[0], b'P'..=b'S' | b'A') && matches!(pair[1], b'6' | b'8'))
        .count() as u64;
    let levels = u32::try_from(functions + 1).unwrap_or(u32::MAX);
    let each = digits / (functions + 1) + 2;
    each.checked_pow(levels).map_or(u64::MAX, |times| times.saturating_mul(raw.len() as u64))
}

/// ```text
/// _name        __cdecl
/// _name@8      __stdcall with 8 bytes of arguments; GNU linkers export it as name@8
/// @name@8      __fastcall
/// name@@8      __vectorcall
/// ```
fn x86(raw: &str) -> &str {
    let (name, arguments) = match raw.rsplit_once('@') {
        Some((name, bytes)) if is_number(bytes) => (name.strip_suffix('@').unwrap_or(name), true),
        _ => (raw, false),
    };
    let plain = match name.strip_prefix('@') {
        Some(fast) if arguments => fast,
        _ => name.strip_prefix('_').unwrap_or(name),
    };
    if plain.is_empty() { raw } else { plain }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_written() {
        for (raw, x86, plain) in [
            ("_List@4", "List", "_List@4"),
            ("List@4", "List", "List@4"),
            ("@Fast@8", "Fast", "@Fast@8"),
            ("Vector@@16", "Vector", "Vector@@16"),
            ("_main", "main", "_main"),
            ("__malloc_base", "_malloc_base", "__malloc_base"),
            ("_malloc_base", "malloc_base", "_malloc_base"),
            ("RtlAllocateHeap", "RtlAllocateHeap", "RtlAllocateHeap"),
            ("leak(int)", "leak(int)", "leak(int)"),
            ("_", "_", "_"),
            ("@4", "@4", "@4"),
            ("", "", ""),
            ("name@", "name@", "name@"),
            ("?", "?", "?"),
        ] {
            assert_eq!(undecorated(raw, Decoration::X86), x86, "{raw} on x86");
            assert_eq!(undecorated(raw, Decoration::Plain), plain, "{raw}");
        }
        for (raw, name) in [
            ("??2@YAPAXI@Z", "operator new(unsigned int)"),
            ("??2@YAPEAX_K@Z", "operator new(unsigned __int64)"),
            ("??_U@YAPEAX_K@Z", "operator new[](unsigned __int64)"),
            ("?Init@CStore@@QAEJXZ", "CStore::Init(void)"),
            ("?Get@CStore@@SAPAV1@HPBD@Z", "CStore::Get(int, char const*)"),
            ("?Put@?$CList@VCItem@@@@UEAAXAEBVCItem@@@Z", "CList<CItem>::Put(CItem const&)"),
            ("?x@", "?x@"),
        ] {
            assert_eq!(undecorated(raw, Decoration::X86), name);
            assert_eq!(undecorated(raw, Decoration::Plain), name);
        }
    }

    #[test]
    fn a_name_that_would_explode_stays_mangled() {
        // Each function type takes the one before it several times.
        let levels = (0..9).map(|level| format!("P6AX{}@Z", level.to_string().repeat(9)));
        let bomb = format!("?f@@YAXPAH{}@Z", levels.collect::<String>());
        assert_eq!(undecorated(&bomb, Decoration::X86), bomb);
        // Pointers to pointers, as deep as a name is long.
        for length in [MANGLED_MOST, 1 << 20] {
            let deep = format!("?f@@YAX{}H@Z", "PA".repeat(length / 2 - 8));
            assert!(undecorated(&deep, Decoration::Plain).len() <= 2 * deep.len());
            let nested = format!("?f@@YAX{}", "V?$A@".repeat(length / 5 - 8));
            assert_eq!(undecorated(&nested, Decoration::Plain), nested);
        }
    }
}
