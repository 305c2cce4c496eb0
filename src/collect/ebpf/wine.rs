//! Processes under Wine. What is traced of one are Windows' heaps, of which ntdll.dll has the functions: not what Wine's
//! own part, which is made of ELF files, takes by malloc. A module of Windows may have its code in memory that is no
//! file's, where the file is not laid out as the memory is; only its first page is the file's then.

use std::path::Path;
use std::sync::Arc;

use super::functions::HEAPS_OF;
use super::memory::{Code, Mapped, Memory, link_to};
use super::modules::{Module, Modules};
use crate::collect::agent::procfs;

/// What executes programs of Windows, by file name.
const LOADERS: [&str; 4] = ["wine64-preloader", "wine64", "wine-preloader", "wine"];

/// Whether a process runs a program of Windows, or is about to.
pub(super) fn is(pid: u32, memory: &Memory) -> bool {
    memory.mapped.iter().any(has_their_name) || executes_a_loader(pid)
}

fn executes_a_loader(pid: u32) -> bool {
    let program = procfs::program(pid);
    let name = program.as_deref().and_then(Path::file_name);
    name.is_some_and(|name| LOADERS.iter().any(|loader| name == *loader))
}

/// The name of the program of Windows that a process runs: what Wine was told to run, without its directories.
pub(super) fn program(pid: u32, command: &[String]) -> Option<String> {
    let told = command.first().filter(|_| executes_a_loader(pid))?;
    let name = told.rsplit(['\\', '/']).next()?;
    name.contains('.').then(|| name.to_owned())
}

fn has_their_name(mapped: &Mapped) -> bool {
    mapped.path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(HEAPS_OF))
}

/// Whether this is the module that has the heaps.
pub(super) fn has_heaps(mapped: &Mapped, module: &Module) -> bool {
    module.image.is_some() && has_their_name(mapped)
}

/// Whether it is a 32-bit program, whose heaps are another module's that cannot be read here.
pub(super) fn is_32_bit(mapped: &[Mapped], files: &[Arc<Module>]) -> bool {
    let mut modules = mapped.iter().zip(files);
    modules.any(|(mapped, module)| has_their_name(mapped) && module.image.is_none())
}

/// Whether it is still being put together: Wine maps code to be written to first, and the kernel sets no probe where that
/// may be.
pub(super) fn is_unsettled(mapped: &Mapped) -> bool {
    has_their_name(mapped) && mapped.code.iter().any(|code| code.writable)
}

/// Gives the modules of Windows the code that is mapped between where they begin and where they end.
pub(super) fn adopt(pid: u32, memory: Memory, modules: &mut Modules) -> Memory {
    adopted(memory, |mapped| modules.get(&mapped.file, &link_to(pid, mapped)).image)
}

fn adopted(memory: Memory, mut image_size: impl FnMut(&Mapped) -> Option<u64>) -> Memory {
    let Memory { mapped, begun, mut unnamed } = memory;
    let mut files: Vec<Mapped> = mapped.into_iter().chain(begun).collect();
    files.sort_by_key(|mapped| mapped.start);
    for mapped in &mut files {
        let Some(size) = image_size(mapped) else { continue };
        let image = mapped.start..mapped.start.saturating_add(size);
        mapped.end = image.end;
        let inside = |part: &mut (u64, u64)| image.contains(&part.0) && part.1 <= image.end;
        let nobodys = unnamed.extract_if(.., inside).map(|(start, end)| Code {
            start,
            end,
            offset: start - image.start,
            writable: false,
        });
        mapped.code.extend(nobodys);
        mapped.code.sort_by_key(|code| code.start);
    }
    files.retain(|mapped| !mapped.code.is_empty());
    Memory { mapped: files, begun: Vec::new(), unnamed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::ebpf::memory::parse;

    /// As Wine 8 maps a program whose file is not laid out as its memory is, and a module whose file is.
    const MAP: &str = "00740000-007ec000 r--s 00000000 fe:00 10   /usr/share/wine/nls/locale.nls\n\
        140000000-140001000 r--p 00000000 fe:00 11   /home/x/t.exe\n\
        140001000-140008000 r-xp 00000000 00:00 0\n\
        140008000-140009000 rw-p 00000000 00:00 0\n\
        14000d000-14000e000 rw-p 00009000 fe:00 11   /home/x/t.exe\n\
        14000e000-14003f000 r--p 00000000 00:00 0\n\
        150000000-150001000 r-xp 00000000 00:00 0\n\
        170000000-170001000 r--p 00000000 fe:00 12   /usr/lib/wine/x86_64-windows/ntdll.dll\n\
        170001000-170069000 r-xp 00001000 fe:00 12   /usr/lib/wine/x86_64-windows/ntdll.dll\n\
        170069000-17006c000 rw-p 00069000 fe:00 12   /usr/lib/wine/x86_64-windows/ntdll.dll\n";

    fn size(mapped: &Mapped) -> Option<u64> {
        let sizes = [(0x1_4000_0000, 0x3_f000), (0x1_7000_0000, 0x36_1000)];
        sizes.iter().find(|(start, _)| *start == mapped.start).map(|(_, size)| *size)
    }

    #[test]
    fn code_that_is_no_file_s_belongs_to_the_module_around_it() {
        let Memory { mapped, unnamed, .. } = adopted(parse(MAP.as_bytes()), size);
        let [program, heaps] = &mapped[..] else { panic!("{mapped:?}") };
        assert_eq!((program.start, program.end), (0x1_4000_0000, 0x1_4003_f000));
        let (start, end, offset) = (0x1_4000_1000, 0x1_4000_8000, 0x1000);
        assert_eq!(program.code, [Code { start, end, offset, writable: false }]);
        assert_eq!(heaps.code.len(), 1);
        assert!(has_their_name(heaps) && !is_unsettled(heaps));
        // What the program made itself stays nobody's.
        assert_eq!(unnamed, [(0x1_5000_0000, 0x1_5000_1000)]);
    }

    #[test]
    fn code_that_is_being_written_is_left_alone() {
        let map = MAP.replace("170069000 r-xp", "170069000 rwxp");
        let Memory { mapped, .. } = adopted(parse(map.as_bytes()), size);
        assert!(mapped.iter().any(is_unsettled));
    }
}
