//! What a log says of itself in its first record: the clock, when it began, what was lost, and names.

use super::record::{Ticks, Width};

/// Between 1601-01-01, where FILETIMEs count from, and 1970-01-01, in units of 100 ns.
const UNIX_EPOCH: i128 = 116_444_736_000_000_000;

/// Units of a FILETIME in a second.
const FILETIMES: u64 = 10_000_000;

/// The longest name taken, in characters of UTF-16.
const LONGEST_NAME: usize = 1024;

/// The bit of the mode that says that the file's buffers were written round and round.
const CIRCULAR: u32 = 2;

/// What a record's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `QueryPerformanceCounter`.
    Qpc,
    /// The system's time, as FILETIME.
    System,
    /// The processor's cycles.
    Cycles,
}

/// A time as Windows has it: units of 100 ns since 1601-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub u64);

/// What a log says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logfile {
    /// Size of the session's buffers in bytes, as it says.
    pub buffer_size: u32,
    /// Version of Windows: major and minor.
    pub version: (u8, u8),
    /// Build of Windows.
    pub build: u32,
    /// Number of processors.
    pub processors: u32,
    /// When the session ended; `None` where it was not ended in order. Events may be later.
    pub ended: Option<FileTime>,
    /// How the log was written: bits `EVENT_TRACE_FILE_MODE_...`.
    pub mode: u32,
    /// Buffers written, the first among them.
    pub buffers_written: u32,
    /// Width of pointers on the traced system.
    pub width: Width,
    /// Events lost.
    pub events_lost: u32,
    /// Buffers lost.
    pub buffers_lost: u32,
    /// The processor's speed.
    pub cpu_mhz: u32,
    /// Minutes that local standard time is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// When the system was started.
    pub booted: FileTime,
    /// Counts of the performance counter in a second.
    pub perf_freq: u64,
    /// When the session began.
    pub started: FileTime,
    /// What times count.
    pub clock: Clock,
    /// Name of the session.
    pub session: String,
    /// Name of the file when it was written.
    pub file: String,
    /// Time of the log's first record, which was logged as the session began.
    pub first: Ticks,
}

impl Logfile {
    /// Decodes the payload of a log's first record; `None` where it is too short or of no sense.
    ///
    /// ```text
    /// 00  4  size of buffers          28  4  buffers at the start, not used
    /// 04  4  version: major, minor    2c  4  p, width of pointers: 4 or 8
    /// 08  4  build                    30  4  events lost
    /// 0c  4  number of processors     34  4  speed of the processor, MHz
    /// 10  8  end                      38 2p  pointers of no use
    /// 18  8  not used                    172  time zone: minutes west, and rules
    /// 20  4  mode                            up to a multiple of 8
    /// 24  4  buffers written
    ///
    /// then: boot (8), counts per second (8), start (8), clock (4), buffers lost (4), two names in UTF-16
    /// ```
    pub(super) fn decode(payload: &[u8], first: Ticks) -> Option<Self> {
        let four = |at: usize| Some(u32::from_le_bytes(*payload.get(at..)?.first_chunk()?));
        let eight = |at: usize| Some(u64::from_le_bytes(*payload.get(at..)?.first_chunk()?));
        let width = match four(0x2c)? {
            4 => Width::Bits32,
            8 => Width::Bits64,
            _ => return None,
        };
        let zone = 0x38 + 2 * width.bytes();
        let times = (zone + 172).next_multiple_of(8);
        let clock = match four(times + 24)? {
            2 => Clock::System,
            3 => Clock::Cycles,
            _ => Clock::Qpc,
        };
        let (session, rest) = name(payload.get(times + 32..)?);
        let (file, _) = name(rest);
        Some(Self {
            buffer_size: four(0)?,
            version: (*payload.get(4)?, *payload.get(5)?),
            build: four(8)?,
            processors: four(0xc)?,
            ended: Some(eight(0x10)?).filter(|time| *time != 0).map(FileTime),
            mode: four(0x20)?,
            buffers_written: four(0x24)?,
            width,
            events_lost: four(0x30)?,
            buffers_lost: four(times + 28)?,
            cpu_mhz: four(0x34)?,
            utc_offset_minutes: (four(zone)? as i32).saturating_neg(),
            booted: FileTime(eight(times)?),
            perf_freq: eight(times + 8)?,
            started: FileTime(eight(times + 16)?),
            clock,
            session,
            file,
            first,
        })
    }

    /// Counts of the clock in a second; `None` where the log does not say.
    pub fn hertz(&self) -> Option<u64> {
        let hertz = match self.clock {
            Clock::Qpc => self.perf_freq,
            Clock::System => FILETIMES,
            Clock::Cycles => u64::from(self.cpu_mhz) * 1_000_000,
        };
        (hertz != 0).then_some(hertz)
    }

    /// A record's time in nanoseconds since 1970-01-01 UTC. A clock of unknown speed is taken to count units of
    /// 100 ns. Times that leave 64 bits are the last that do not.
    pub fn unix_ns(&self, time: Ticks) -> i64 {
        let filetime_ns = match self.clock {
            Clock::System => (i128::from(time.0) - UNIX_EPOCH) * 100,
            Clock::Qpc | Clock::Cycles => {
                // Not by way of the boot's time: that is off by up to half a minute.
                let passed = i128::from(time.0) - i128::from(self.first.0);
                let hertz = i128::from(self.hertz().unwrap_or(FILETIMES));
                (i128::from(self.started.0) - UNIX_EPOCH) * 100 + passed * 1_000_000_000 / hertz
            }
        };
        filetime_ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Whether the file's buffers were written round and round.
    pub fn circular(&self) -> bool {
        self.mode & CIRCULAR != 0
    }
}

/// A name that ends with a zero, and what follows it.
fn name(bytes: &[u8]) -> (String, &[u8]) {
    let (units, _) = bytes.as_chunks::<2>();
    let end = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
    let taken = units.iter().take(end.min(LONGEST_NAME)).map(|unit| u16::from_le_bytes(*unit));
    let text = char::decode_utf16(taken).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    (text.collect(), bytes.get((end + 1) * 2..).unwrap_or(&[]))
}
