//! Reading the ring: each record checked, none trusted.

use aya::maps::{MapData, RingBuf};

use super::functions::HEAPS;
use super::layout::{DEPTH_MOST, Slot, end, kind};
use crate::collect::agent::clock::Stamp;
use crate::event::{Address, Bytes, Function, HeapId};

/// Records taken at once, at most.
pub(super) const MOST: usize = 1 << 15;

/// One record of the probe.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stamp: Stamp,
    pub(super) slot: Slot,
    pub(super) tid: u32,
    pub(super) told: Told,
}

/// What it tells.
#[derive(Debug)]
pub(super) enum Told {
    Alloc {
        address: Address,
        size: Bytes,
        stack: u64,
        function: Function,
    },
    Free {
        address: Address,
        function: Function,
    },
    /// A block of one of Windows' heaps.
    HeapAlloc {
        heap: HeapId,
        address: Address,
        size: Bytes,
        stack: u64,
        function: Function,
    },
    HeapFree {
        heap: HeapId,
        address: Address,
        function: Function,
    },
    HeapCreated {
        heap: HeapId,
        stack: u64,
    },
    HeapDestroyed {
        heap: HeapId,
    },
    /// A free by the C library itself, with its stack.
    OwnFree {
        address: Address,
        function: Function,
        stack: u64,
    },
    Stack(Box<Walked>),
    /// A stack that is still to be walked.
    Copied(Box<Copy>),
    MapChanged,
    Forked {
        parent: u32,
        child: u32,
    },
    Executed {
        pid: u32,
        /// What the kernel calls it from then on.
        name: String,
    },
    Ended {
        pid: u32,
    },
    /// A page was touched.
    Touched {
        address: u64,
        stack: u64,
        sp: u64,
    },
    /// Memory was mapped.
    Mapped {
        address: u64,
        length: u64,
        stack: u64,
    },
    /// A resize gave nothing: the block that was told released lives on.
    Kept,
}

/// A stack.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) name: u64,
    pub(super) generation: u32,
    pub(super) complete: bool,
    /// It ended at an address of which nothing is known.
    pub(super) left_the_map: bool,
    pub(super) frames: Vec<u64>,
}

/// A copy of a stack, and where its walk begins: at the entry of an allocator function.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) name: u64,
    pub(super) sp: u64,
    pub(super) bp: u64,
    pub(super) caller: u64,
    /// The address of the first byte.
    pub(super) from: u64,
    pub(super) bytes: Vec<u8>,
}

/// Takes what there is; the last result says how many records made no sense.
pub(super) fn drain(ring: &mut RingBuf<MapData>, into: &mut Vec<Record>) -> u64 {
    let mut damaged = 0;
    while into.len() < MOST {
        let Some(item) = ring.next() else { break };
        match parse(&item) {
            Some(record) => into.push(record),
            None => damaged += 1,
        }
    }
    damaged
}

fn parse(bytes: &[u8]) -> Option<Record> {
    let word = |index: usize| -> Option<u64> {
        let bytes = bytes.get(index * 8..index * 8 + 8)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    let head = word(0)?;
    let (number, low) = ((head >> 8) as u8, (head >> 16 & 0xff_ffff) as u32);
    let slot = Slot((head >> 40) as u32);
    let mut stamp = Stamp(word(1)?);
    let function = || function(number);
    let told = match head as u8 {
        kind::ALLOC if function() == Function::RtlCreateHeap => {
            Told::HeapCreated { heap: HeapId(word(2)?), stack: word(4)? }
        }
        kind::FREE if function() == Function::RtlDestroyHeap => {
            Told::HeapDestroyed { heap: HeapId(word(2)?) }
        }
        kind::HEAP_ALLOC => Told::HeapAlloc {
            heap: HeapId(word(5)?),
            address: Address(word(2)?),
            size: Bytes(word(3)?),
            stack: word(4)?,
            function: function(),
        },
        kind::HEAP_FREE => Told::HeapFree {
            heap: HeapId(word(3)?),
            address: Address(word(2)?),
            function: function(),
        },
        kind::ALLOC => Told::Alloc {
            address: Address(word(2)?),
            size: Bytes(word(3)?),
            stack: word(4)?,
            function: function(),
        },
        kind::FREE => Told::Free { address: Address(word(2)?), function: function() },
        kind::OWN_FREE => {
            Told::OwnFree { address: Address(word(2)?), function: function(), stack: word(3)? }
        }
        kind::STACK => {
            stamp = Stamp(0);
            let frames: Vec<u64> = (2..bytes.len() / 8).map_while(word).collect();
            if frames.is_empty() || frames.len() > DEPTH_MOST {
                return None;
            }
            Told::Stack(Box::new(Walked {
                name: word(1)?,
                generation: low,
                complete: number == end::COMPLETE,
                left_the_map: number == end::NO_MAPPING,
                frames,
            }))
        }
        kind::COPY => {
            stamp = Stamp(0);
            let length = usize::try_from(word(6)?).ok()?;
            Told::Copied(Box::new(Copy {
                name: word(1)?,
                sp: word(2)?,
                bp: word(3)?,
                caller: word(4)?,
                from: word(5)?,
                bytes: bytes.get(7 * 8..)?.get(..length)?.to_vec(),
            }))
        }
        kind::MAP => Told::MapChanged,
        kind::FORK => {
            let pids = word(2)?;
            Told::Forked { parent: (pids >> 32) as u32, child: pids as u32 }
        }
        kind::EXEC => {
            let name = bytes.get(3 * 8..5 * 8)?.split(|byte| *byte == 0).next()?;
            let name = String::from_utf8_lossy(name).into_owned();
            Told::Executed { pid: word(2)? as u32, name }
        }
        kind::EXIT => Told::Ended { pid: word(2)? as u32 },
        kind::FAILED => Told::Kept,
        kind::GREW if number == 0 => {
            Told::Touched { address: word(2)?, stack: word(4)?, sp: word(5)? }
        }
        kind::GREW => Told::Mapped { address: word(2)?, length: word(3)?, stack: word(4)? },
        _ => return None,
    };
    Some(Record { stamp, slot, tid: low, told })
}

/// The functions are numbered as the vocabulary has them.
fn function(number: u8) -> Function {
    let heaps = HEAPS.iter().map(|known| known.function);
    let mut heaps = heaps.filter(|function| *function as u8 == number);
    heaps.next().unwrap_or_else(|| crate::collect::agent::function(number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn record(words: &[u64]) -> Option<Record> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        parse(&bytes)
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_no_record() {
        assert!(record(&[]).is_none());
        assert!(record(&[u64::from(kind::ALLOC), 1, 2, 3]).is_none());
        assert!(record(&[u64::from(kind::FREE)]).is_none());
        assert!(record(&[200, 1, 2, 3, 4]).is_none());
        assert!(record(&[u64::from(kind::STACK), 1]).is_none());
        assert!(parse(&[1, 2, 3]).is_none());
    }

    #[test]
    fn a_record_says_who_and_what() {
        let head = 7 << 40 | 99 << 16 | 1 << 8 | u64::from(kind::ALLOC);
        let record = record(&[head, 5, 0x1000, 32, 77]).unwrap();
        assert_eq!((record.slot, record.tid, record.stamp), (Slot(7), 99, Stamp(5)));
        let Told::Alloc { address, size, stack, function } = record.told else { panic!() };
        assert_eq!((address, size, stack), (Address(0x1000), Bytes(32), 77));
        assert_eq!(function, Function::Malloc);
    }

    #[test]
    fn heaps_are_told_with_their_blocks_and_by_themselves() {
        let told = |function: Function, kind: u8, words: &[u64]| {
            let head = 7 << 40 | 99 << 16 | (function as u64) << 8 | u64::from(kind);
            record(&[&[head, 5][..], words].concat()).unwrap().told
        };
        let block = told(Function::RtlAllocateHeap, kind::HEAP_ALLOC, &[0x1000, 32, 77, 0x70000]);
        let Told::HeapAlloc { heap, address, .. } = block else { panic!("{block:?}") };
        assert_eq!((heap, address), (HeapId(0x70000), Address(0x1000)));
        let gone = told(Function::RtlFreeHeap, kind::HEAP_FREE, &[0x1000, 0x70000]);
        assert!(matches!(gone, Told::HeapFree { heap: HeapId(0x70000), .. }), "{gone:?}");
        let made = told(Function::RtlCreateHeap, kind::ALLOC, &[0x80000, 0, 78]);
        assert!(matches!(made, Told::HeapCreated { heap: HeapId(0x80000), stack: 78 }));
        let unmade = told(Function::RtlDestroyHeap, kind::FREE, &[0x80000]);
        assert!(matches!(unmade, Told::HeapDestroyed { heap: HeapId(0x80000) }));
    }
}
