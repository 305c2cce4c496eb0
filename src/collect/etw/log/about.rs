//! What a log says of itself: its first record.

use super::BUFFER;

/// The longest name, in characters.
const LONGEST_NAME: usize = 1000;

/// What a log says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Name of the session.
    pub session: String,
    /// The log's own path.
    pub file: String,
    /// Version of Windows: major and minor.
    pub version: (u8, u8),
    /// Build of Windows.
    pub build: u32,
    /// Number of processors.
    pub processors: u32,
    /// Their speed, where known.
    pub mhz: u32,
    /// Counts of the clock (`QueryPerformanceCounter`) in a second.
    pub hertz: u64,
    /// What the clock showed as the session began.
    pub first: u64,
    /// When that was, and when the system was started: as FILETIME, units of 100 ns since 1601-01-01 UTC.
    pub started: u64,
    /// See `started`.
    pub booted: u64,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// What is known at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What the clock shows.
    pub at: u64,
    /// Buffers written.
    pub buffers: u32,
    pub events_lost: u32,
    pub buffers_lost: u32,
}

impl About {
    /// A time of the log's clock as FILETIME.
    pub fn filetime(&self, time: u64) -> u64 {
        let passed = u128::from(time.saturating_sub(self.first)) * 10_000_000;
        let passed = passed / u128::from(self.hertz.max(1));
        self.started.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The record, with a header of the kernel's (hook 0) and the layout of wide pointers.
    ///
    /// ```text
    /// 00  4  size of buffers          28  4  buffers at the start: 1
    /// 04  4  version: major, minor    2c  4  width of pointers: 8
    /// 08  4  build                    30  4  events lost
    /// 0c  4  number of processors     34  4  speed of the processor, MHz
    /// 10  8  end                      38 10  two pointers of no use
    /// 18  4  timer: 15.625 ms         48 ac  time zone: minutes west, and rules
    /// 1c  4  largest file: 0          f8  8  boot
    /// 20  4  mode: 1, from begin to end    100 8  counts per second, 8 start, 4 clock (1), 4 buffers lost
    /// 24  4  buffers written          118    two names in UTF-16
    /// ```
    pub fn record(&self, ended: Option<Ended>) -> Vec<u8> {
        let mut payload = vec![0; 0x118];
        let mut put = |at: usize, value: &[u8]| {
            if let Some(place) = payload.get_mut(at..at + value.len()) {
                place.copy_from_slice(value);
            }
        };
        put(0x00, &(BUFFER as u32).to_le_bytes());
        put(0x04, &[self.version.0, self.version.1, 1, 5]);
        put(0x08, &self.build.to_le_bytes());
        put(0x0c, &self.processors.to_le_bytes());
        put(0x18, &156_250u32.to_le_bytes());
        put(0x20, &1u32.to_le_bytes());
        put(0x28, &1u32.to_le_bytes());
        put(0x2c, &8u32.to_le_bytes());
        put(0x34, &self.mhz.to_le_bytes());
        put(0x48, &self.utc_offset_minutes.saturating_neg().to_le_bytes());
        put(0xf8, &self.booted.to_le_bytes());
        put(0x100, &self.hertz.to_le_bytes());
        put(0x108, &self.started.to_le_bytes());
        put(0x110, &1u32.to_le_bytes());
        if let Some(ended) = ended {
            put(0x10, &self.filetime(ended.at).to_le_bytes());
            put(0x24, &ended.buffers.to_le_bytes());
            put(0x30, &ended.events_lost.to_le_bytes());
            put(0x114, &ended.buffers_lost.to_le_bytes());
        }
        for name in [&self.session, &self.file] {
            let units = name.encode_utf16().filter(|unit| *unit != 0).take(LONGEST_NAME);
            payload.extend(units.flat_map(u16::to_le_bytes));
            payload.extend([0, 0]);
        }
        let mut record = vec![2, 0, 2, 0xc0];
        // The names are cut.
        record.extend(((32 + payload.len()) as u16).to_le_bytes());
        record.extend([0; 10]);
        record.extend(self.first.to_le_bytes());
        record.extend([0; 8]);
        record.extend(payload);
        record
    }
}
