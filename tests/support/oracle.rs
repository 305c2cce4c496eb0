//! Reads what `tests/programs/oracle.c` recorded and compares it with another unwinder's stacks
//! of the same run. The layout is drawn in the C file; this side is written from that drawing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

const MAGIC: &[u8; 8] = b"UNFORACL";
const HEADER: usize = 64;
const RECORD: usize = 32;
/// Records that the other side may have between two of ours before the search gives up.
const LOOK_AHEAD: usize = 64;

/// Names the file to record to; `%p` in it becomes the process id.
pub const FILE: &str = "UNFREED_ORACLE_FILE";
/// Names the most allocations to record.
pub const LIMIT: &str = "UNFREED_ORACLE_LIMIT";
/// Names the only program (its file name) to record.
pub const ONLY: &str = "UNFREED_ORACLE_ONLY";

/// Set to anything, each allocation comes with a copy of its stack.
pub const COPIES: &str = "UNFREED_ORACLE_COPIES";

/// A stack, and the registers with which its walk begins: behind the call of the allocating function.
#[derive(Clone, Debug)]
pub struct Copied {
    pub sp: u64,
    pub bp: u64,
    /// From `sp` upwards.
    pub words: Vec<u64>,
}

/// One allocation and where it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    pub tid: u32,
    pub address: u64,
    /// Bytes asked for.
    pub size: u64,
    /// Return addresses, innermost first, as absolute addresses.
    pub frames: Vec<u64>,
    /// Whether the walk reached the outermost caller.
    pub complete: bool,
}

/// Everything one process recorded.
#[derive(Clone, Debug)]
pub struct Run {
    /// In the order of recording: per thread, the order of the program.
    pub allocations: Vec<Allocation>,
    /// Of each of these, where copies were asked for and it was not too long.
    pub copies: Vec<Option<Copied>>,
    /// Where the oracle itself is mapped.
    pub own: Range<u64>,
    /// Allocations past the limit, not recorded.
    pub dropped: u64,
}

impl Run {
    /// Reads a recording; panics where it is damaged, with the offset.
    pub fn read(path: &Path) -> Run {
        let mut file =
            File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut bytes = vec![0; HEADER];
        file.read_exact(&mut bytes).expect("a header");
        // The file is as long as the limit allows, not as its content is.
        file.take(long(&bytes, 16)).read_to_end(&mut bytes).expect("a readable file");
        Run::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Run {
        assert!(bytes.len() >= HEADER && &bytes[..8] == MAGIC, "not an oracle's recording");
        assert_eq!(word(bytes, 8), 1, "version");
        let end = HEADER + usize::try_from(long(bytes, 16)).unwrap();
        let own = long(bytes, 32)..long(bytes, 40);
        let (mut allocations, mut copies) = (Vec::new(), Vec::new());
        let mut at = HEADER;
        while at < end {
            let depth = usize::from(half(bytes, at + 28));
            let flags = half(bytes, at + 30);
            assert_eq!(flags & COMMITTED, COMMITTED, "half a record at {at}: killed meanwhile");
            let frames = (0..depth).map(|index| long(bytes, at + RECORD + 8 * index)).collect();
            allocations.push(Allocation {
                tid: word(bytes, at),
                address: long(bytes, at + 8),
                size: long(bytes, at + 16),
                frames,
                complete: flags & COMPLETE != 0,
            });
            at += RECORD + 8 * depth;
            let copied = (flags & COPIED != 0).then(|| {
                let count = usize::try_from(long(bytes, at + 16)).unwrap();
                let words = (0..count).map(|index| long(bytes, at + 24 + 8 * index)).collect();
                Copied { sp: long(bytes, at), bp: long(bytes, at + 8), words }
            });
            at += copied.as_ref().map_or(0, |copied| 24 + 8 * copied.words.len());
            copies.push(copied);
        }
        assert_eq!(at, end, "the last record ends elsewhere");
        assert_eq!(allocations.len() as u64, long(bytes, 24), "number of records");
        Run { allocations, copies, own, dropped: long(bytes, 48) }
    }
}

const COMMITTED: u16 = 1;
const COMPLETE: u16 = 2;
const COPIED: u16 = 4;

/// The frames after the last one that lies in one of these modules: what is left when the
/// interposers' own frames are taken away.
pub fn without_own<'a>(frames: &'a [u64], own: &[Range<u64>]) -> &'a [u64] {
    let inside = |frame: &u64| own.iter().any(|range| range.contains(frame));
    let skip = frames.iter().rposition(inside).map_or(0, |last| last + 1);
    &frames[skip..]
}

/// How two recordings of one run agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Allocations whose stacks are the same from end to end.
    pub whole: u64,
    /// Allocations where one side stopped early and all frames up to there are the same.
    pub partial: u64,
    /// The other side's allocations before the oracle's first, per thread.
    pub before: u64,
    /// The other side's allocations between two of the oracle's.
    pub between: u64,
    /// The other side's allocations after the oracle's last.
    pub after: u64,
}

/// The first place where they do not.
#[derive(Clone, Debug)]
pub struct Difference {
    pub tid: u32,
    /// Index among the oracle's allocations of this thread.
    pub index: usize,
    pub oracle: Allocation,
    /// The other side's allocation; `None` where it has none at this address.
    pub other: Option<Allocation>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { tid, index, oracle, .. } = self;
        let Allocation { address, size, .. } = oracle;
        write!(f, "thread {tid}, allocation {index}, {size} bytes at {address:#x}: ")?;
        let Some(other) = &self.other else {
            return write!(f, "not recorded by the other side; stack {:#x?}", self.oracle.frames);
        };
        let (ours, theirs) = (&self.oracle.frames, &other.frames);
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        writeln!(f, "{same} frames agree, then")?;
        for (name, side) in [("oracle", &self.oracle), ("other ", other)] {
            let end = if side.complete { "complete" } else { "stopped early" };
            write!(f, "  {name} ({} frames, {end}):", side.frames.len())?;
            for frame in side.frames.iter().skip(same.saturating_sub(1)).take(6) {
                write!(f, " {frame:#x}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Compares every stack of the oracle's with the other side's for the same allocation: per thread
/// in order, by address. `own` are the mappings of the oracle and of the agent, whose leading
/// frames are taken away on both sides.
pub fn compare(
    oracle: &[Allocation],
    other: &[Allocation],
    own: &[Range<u64>],
) -> Result<Agreement, Box<Difference>> {
    let mut agreement = Agreement::default();
    let theirs = by_thread(other);
    for (tid, ours) in by_thread(oracle) {
        let theirs = theirs.get(&tid).map_or(&[][..], Vec::as_slice);
        let mut at = start(&ours, theirs);
        agreement.before += at as u64;
        for (index, ours) in ours.iter().enumerate() {
            let differs = |other: Option<&Allocation>| {
                let side = |of: &Allocation| Allocation {
                    frames: without_own(&of.frames, own).to_vec(),
                    ..of.clone()
                };
                Box::new(Difference { tid, index, oracle: side(ours), other: other.map(side) })
            };
            let ahead = theirs[at..].iter().take(LOOK_AHEAD);
            let Some(extra) = ahead.clone().position(|their| their.address == ours.address) else {
                return Err(differs(None));
            };
            let their = theirs[at + extra];
            agreement.between += extra as u64;
            at += extra + 1;
            match agree(ours, their, own) {
                Some(Extent::Whole) => agreement.whole += 1,
                Some(Extent::Partial) => agreement.partial += 1,
                None => return Err(differs(Some(their))),
            }
        }
        agreement.after += (theirs.len() - at) as u64;
    }
    Ok(agreement)
}

enum Extent {
    Whole,
    Partial,
}

fn agree(ours: &Allocation, theirs: &Allocation, own: &[Range<u64>]) -> Option<Extent> {
    let (a, b) = (without_own(&ours.frames, own), without_own(&theirs.frames, own));
    if a == b {
        return Some(Extent::Whole);
    }
    let common = a.len().min(b.len());
    let shorter_stopped = if a.len() < b.len() { !ours.complete } else { !theirs.complete };
    (common > 0 && shorter_stopped && a[..common] == b[..common]).then_some(Extent::Partial)
}

fn by_thread(allocations: &[Allocation]) -> BTreeMap<u32, Vec<&Allocation>> {
    let mut threads: BTreeMap<u32, Vec<&Allocation>> = BTreeMap::new();
    for allocation in allocations {
        threads.entry(allocation.tid).or_default().push(allocation);
    }
    threads
}

/// Where the oracle's first allocations are in the other list: it may begin earlier, and the
/// first address alone may have been used before.
fn start(ours: &[&Allocation], theirs: &[&Allocation]) -> usize {
    let opening = &ours[..ours.len().min(8)];
    theirs
        .windows(opening.len())
        .position(|window| window.iter().zip(opening).all(|(a, b)| a.address == b.address))
        .unwrap_or(0)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
