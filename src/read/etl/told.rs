//! Records of unfreed's own class, which its collector puts among those of Windows: settings read on the spot, samples of a
//! process's memory, marks.

use super::payload::Payload;
use super::record::Record;
use super::translate::Translator;
use crate::event::{Fact, FactKind, Mark, Metric, Sample, What};

/// The class: `cd6a9a6e-4b9f-4a0b-9c55-756e66726565`, made for this.
pub const CLASS: [u8; 16] = [
    0x6e, 0x9a, 0x6a, 0xcd, 0x9f, 0x4b, 0x0b, 0x4a, 0x9c, 0x55, 0x75, 0x6e, 0x66, 0x72, 0x65, 0x65,
];
/// A fact: `kind u8, whether it has a value u8, 0 u16, subject, value (UTF-16)`.
pub const FACT: u8 = 1;
/// A sample of the record's process: `metric u32, value u64`.
pub const SAMPLE: u8 = 2;
/// A mark: `whether it has a count u32, count u64, text (UTF-16)`.
pub const MARK: u8 = 3;

/// What a record of the class says; `None` where it is too short or of a kind that is not known.
fn read(record: &Record<'_>) -> Option<What> {
    let mut from = Payload::of(record);
    Some(match record.opcode {
        FACT => {
            let [kind, valued, ..] = from.u32()?.to_le_bytes();
            let kind = match kind {
                0 => FactKind::Setting,
                1 => FactKind::Package,
                2 => FactKind::Product,
                3 => FactKind::System,
                4 => FactKind::Capture,
                _ => return None,
            };
            let subject = from.utf16();
            let value = (valued != 0).then(|| from.utf16());
            What::Fact(Box::new(Fact { kind, subject, value }))
        }
        SAMPLE => {
            let metric = match from.u32()? {
                0 => Metric::Rss,
                1 => Metric::PrivateBytes,
                2 => Metric::VirtualBytes,
                3 => Metric::Handles,
                4 => Metric::Threads,
                5 => Metric::CpuTime,
                _ => return None,
            };
            What::Sample(Sample { metric, value: from.u64()? })
        }
        MARK => {
            let counted = from.u32()? != 0;
            let count = from.u64()?;
            let text = from.utf16();
            What::Mark(Box::new(Mark { text, count: counted.then_some(count) }))
        }
        _ => return None,
    })
}

impl Translator<'_> {
    pub(super) fn told(&mut self, record: &Record<'_>) {
        match (read(record), record.process) {
            (Some(what @ What::Sample(_)), Some(pid)) => {
                let at = self.at(pid);
                self.id(at);
                self.say(at, what);
            }
            (Some(what), _) => self.say_of_all(what),
            (None, _) => self.odd(record, "a record of unfreed's own cannot be read"),
        }
    }
}
