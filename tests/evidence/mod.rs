//! The evidence that the servers of the founding articles could really give: each article's defect as
//! what the tools of that time wrote. The cases are constructed: no such servers were recorded. 32-bit
//! throughout, as Exchange 5.5, 2000 and 2003 were.
#![allow(dead_code, reason = "each test uses its part")]

pub mod debugger;
pub mod leakdiag;
pub mod umdh;

use std::collections::BTreeMap;

/// One module of a process.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    pub path: &'static str,
    pub base: u32,
    pub size: u32,
    /// Its file version, which no heap log holds.
    pub version: &'static str,
    /// Its time stamp, where a file that was built stands for it.
    pub timestamp: Option<u32>,
}

/// One stack and what lives of it, in an earlier and a later log.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Innermost first: the module's place in the case, the function, and the offset in the function.
    pub frames: Vec<(usize, Option<&'static str>, u32)>,
    /// Bytes of each block.
    pub size: u32,
    /// Blocks in the earlier and the later log.
    pub blocks: [u32; 2],
}

/// One process with a defect.
#[derive(Clone, Debug)]
pub struct Case {
    pub modules: Vec<Module>,
    pub stacks: Vec<Stack>,
    /// Where functions begin, from their modules' bases, where files that were built say so.
    pub places: BTreeMap<(usize, &'static str), u32>,
}

impl Case {
    /// The name of a frame's module without directories and extension, as debuggers have it.
    pub fn module_name(&self, at: usize) -> &'static str {
        self.file_name(at).rsplit_once('.').unwrap().0
    }

    /// The same with the extension.
    pub fn file_name(&self, at: usize) -> &'static str {
        self.modules[at].path.rsplit('\\').next().unwrap()
    }

    /// An address: where nothing else is known, functions lie at made-up places that follow from their names.
    pub fn address(&self, (module, function, offset): (usize, Option<&'static str>, u32)) -> u32 {
        if let Some(begins) = function.and_then(|name| self.places.get(&(module, name))) {
            return self.modules[module].base + begins + offset;
        }
        let sum = function.unwrap_or_default().bytes();
        let start = sum.fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let of = self.modules[module];
        of.base + 0x1000 + start % (of.size - 0x3000) / 16 * 16 + offset % 0x1000
    }
}

fn module(path: &'static str, base: u32, version: &'static str) -> Module {
    Module { path, base, size: 0x0020_0000, version, timestamp: None }
}

/// A process with the modules of Windows first (0 the program, 1 ntdll, 2 kernel32), then its own; a
/// leaking stack, and others that stay as they are or grow a little.
fn case(
    program: &'static str,
    own: &[Module],
    frames: &[(usize, Option<&'static str>, u32)],
    size: u32,
) -> Case {
    let mut modules = vec![
        module(program, 0x0040_0000, "1.0.0.0"),
        module(r"C:\WINNT\system32\ntdll.dll", 0x77f8_0000, "5.0.2195.6899"),
        module(r"C:\WINNT\system32\KERNEL32.dll", 0x77e8_0000, "5.0.2195.6897"),
    ];
    modules.extend_from_slice(own);
    let allocate = (1, Some("RtlAllocateHeap"), 0x117);
    let begin = (2, Some("BaseProcessStart"), 0x3d);
    let main = (0, Some("main"), 0x52);
    let stack = |inner: &[_], size, blocks| Stack {
        frames: [&[allocate], inner, &[main, begin]].concat(),
        size,
        blocks,
    };
    let stacks = vec![
        stack(frames, size, [120, 3120]),
        stack(&[(0, Some("start"), 0x10)], 512, [40, 40]),
        stack(&[(0, Some("work"), 0x99)], 2048, [11, 14]),
        stack(&[(0, Some("table"), 0x20)], 0x1a0, [300, 290]),
    ];
    Case { modules, stacks, places: BTreeMap::new() }
}

/// KB896064: a program that manages mailboxes through CDOEXM.
pub fn kb896064(version: &'static str) -> Case {
    let own = [module(r"C:\Program Files\Exchsrvr\bin\Cdoexm.dll", 0x6180_0000, version)];
    case(r"C:\Tools\mailboxes.exe", &own, &[(3, Some("CMailboxStore::Open"), 0x4a)], 260)
}

/// KB843523: a program that synchronizes incrementally.
pub fn kb843523(version: &'static str) -> Case {
    let own = [module(r"C:\Program Files\Exchsrvr\bin\Emsmdb32.dll", 0x6190_0000, version)];
    let synchronize = [
        (3, Some("CExport::AddProps"), 0x1f4),
        (3, Some("IExchangeExportChanges::Synchronize"), 0x210),
    ];
    case(r"C:\Tools\sync.exe", &own, &synchronize, 96)
}

/// KB891509: a CDO program that logs on to and off many mailboxes.
pub fn kb891509(version: &'static str) -> Case {
    let own = [
        module(r"C:\WINNT\system32\Mapi32.dll", 0x6170_0000, version),
        module(r"C:\Program Files\Exchsrvr\bin\Cdo.dll", 0x61a0_0000, version),
    ];
    let log_on = [(3, Some("HrCreateHeapEntry"), 0x2b), (4, Some("CSession::Logon"), 0x120)];
    case(r"C:\Tools\logons.exe", &own, &log_on, 1024)
}

/// Q265514: a program that opens and closes a message store again and again.
pub fn q265514() -> Case {
    let own = [module(r"C:\WINNT\system32\provider.dll", 0x61b0_0000, "5.5.2650.24")];
    let open = [
        (1, Some("RtlInitializeCriticalSection"), 0x6c),
        (3, Some("CStore::Init"), 0x31),
        (3, Some("IMAPISession::OpenMsgStore"), 0x44),
    ];
    case(r"C:\Tools\stores.exe", &own, &open, 40)
}

/// A program whose provider (module 3) keeps what it asks for by way of functions that only pass the request on, in these
/// libraries (from 4 on); their frames, innermost first, with the provider's own last.
pub fn through(libraries: &[&'static str], wrappers: &[(usize, &'static str)], size: u32) -> Case {
    let mut own = vec![module(r"C:\WINNT\system32\provider.dll", 0x61b0_0000, "5.5.2650.24")];
    for (at, path) in (0..).zip(libraries) {
        own.push(module(path, 0x7000_0000 + at * 0x0100_0000, "5.0.2195.6899"));
    }
    let mut frames: Vec<_> =
        (0..).zip(wrappers).map(|(at, &(of, name))| (of, Some(name), 0x20 + 4 * at)).collect();
    frames.push((3, Some("CTable::Fill"), 0x31));
    case(r"C:\Tools\tables.exe", &own, &frames, size)
}

/// KB900326: a message whose use count ends too low. Its first stack allocates what is released twice.
pub fn kb900326(version: &'static str) -> Case {
    let own = [
        module(r"C:\Program Files\Exchsrvr\bin\Exsmtp.dll", 0x6100_0000, version),
        module(r"C:\Program Files\Exchsrvr\bin\Drviis.dll", 0x6200_0000, version),
    ];
    let send = [(3, Some("CMessage::Create"), 0x77), (4, Some("CSubmission::Send"), 0x120)];
    case(r"C:\WINDOWS\system32\inetsrv\Inetinfo.exe", &own, &send, 184)
}
