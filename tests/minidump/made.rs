//! A builder of minidumps of 32-bit Windows, after the format as Microsoft publishes it. It shares nothing with the
//! crate that reads them. All numbers are little-endian.

/// A module: path, base, size, file version, and whether it has a PDB record.
#[derive(Clone, Debug)]
pub struct Module {
    pub path: String,
    pub base: u32,
    pub size: u32,
    pub version: [u16; 4],
}

/// A module of 64 KiB.
pub fn module(path: &str, base: u32, version: [u16; 4]) -> Module {
    Module { path: path.to_owned(), base, size: 0x1_0000, version }
}

/// A dump in the making.
#[derive(Clone, Debug)]
pub struct Dump {
    pub modules: Vec<Module>,
    pub pid: u32,
    /// When it was written, in seconds since 1970.
    pub written: u32,
    /// The exception's code, and the instruction.
    pub exception: Option<(u32, u32)>,
    /// Return addresses by the chain of frame pointers, innermost first.
    pub returns: Vec<u32>,
    /// Regions: state, type, size.
    pub regions: Vec<(u32, u32, u64)>,
}

const THREAD: u32 = 0x77;
/// Where the stack lies.
const STACK: u32 = 0x0012_0000;

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn zeros(&mut self, count: usize) -> &mut Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    fn here(&self) -> u32 {
        self.0.len() as u32
    }

    /// Length in bytes, UTF-16, a zero.
    fn string(&mut self, text: &str) -> u32 {
        let at = self.here();
        let units: Vec<u16> = text.encode_utf16().collect();
        self.u32(units.len() as u32 * 2);
        units.into_iter().for_each(|unit| {
            self.u16(unit);
        });
        self.u16(0);
        at
    }
}

impl Dump {
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = Bytes::default();
        let streams = 5 + u32::from(self.exception.is_some());
        // Signature, version, streams, where they are listed, checksum, time, flags.
        bytes.u32(0x504d_444d).u32(0xa793).u32(streams).u32(32).u32(0).u32(self.written).u64(0);
        let directory = bytes.0.len();
        bytes.zeros(streams as usize * 12);
        let mut listed = Vec::new();

        let (stack, frame) = self.stack();
        let stack_at = bytes.here();
        bytes.0.extend(&stack);
        let context_at = bytes.here();
        bytes.context(self.exception.map_or(0, |(_, address)| address), STACK, frame);
        let context = bytes.here() - context_at;

        let at = bytes.here();
        // x86, one processor, Windows Server 2003 with no service pack named.
        bytes.u16(0).u16(6).u16(0).0.extend([1, 3]);
        bytes.u32(5).u32(2).u32(3790).u32(2).u32(0).u16(0).u16(0).zeros(24);
        listed.push((7, at, bytes.here() - at));

        let records: Vec<(u32, u32)> =
            self.modules.iter().map(|module| bytes.named(&module.path)).collect();
        let at = bytes.here();
        bytes.u32(self.modules.len() as u32);
        for (module, (name, pdb)) in self.modules.iter().zip(records) {
            bytes.module(module, name, pdb);
        }
        listed.push((4, at, bytes.here() - at));

        let at = bytes.here();
        bytes.u32(1).u32(THREAD).u32(0).u32(0).u32(0).u64(0);
        bytes.u64(STACK.into()).u32(stack.len() as u32).u32(stack_at).u32(context).u32(context_at);
        listed.push((3, at, bytes.here() - at));

        let at = bytes.here();
        // Size, flags (1: the pid is there), pid, times.
        bytes.u32(24).u32(1).u32(self.pid).zeros(12);
        listed.push((15, at, bytes.here() - at));

        let at = bytes.here();
        bytes.u32(16).u32(48).u64(self.regions.len() as u64);
        let mut base = 0x10_0000;
        for (state, kind, size) in &self.regions {
            bytes.u64(base).u64(base).u32(4).u32(0).u64(*size).u32(*state).u32(4).u32(*kind).u32(0);
            base += size;
        }
        listed.push((16, at, bytes.here() - at));

        if let Some((code, address)) = self.exception {
            let at = bytes.here();
            bytes.u32(THREAD).u32(0).u32(code).u32(0).u64(0).u64(address.into()).u32(2).u32(0);
            bytes.u64(0).u64(0xfeee_feee).zeros(13 * 8).u32(context).u32(context_at);
            listed.push((6, at, bytes.here() - at));
        }
        for (entry, (kind, at, size)) in listed.into_iter().enumerate() {
            let mut row = Bytes::default();
            row.u32(kind).u32(size).u32(at);
            bytes.0[directory + entry * 12..][..12].copy_from_slice(&row.0);
        }
        bytes.0
    }

    /// The stack's bytes, and where the first saved frame pointer is.
    fn stack(&self) -> (Vec<u8>, u32) {
        let mut bytes = Bytes::default();
        bytes.zeros(16);
        for address in &self.returns {
            let next = STACK + bytes.here() + 24;
            bytes.u32(next).u32(*address).zeros(16);
        }
        bytes.u32(0).u32(0).zeros(16);
        (bytes.0, STACK + 16)
    }
}

impl Bytes {
    /// A module's name and its record of a PDB.
    fn named(&mut self, path: &str) -> (u32, u32) {
        let name = self.string(path);
        let pdb = self.here();
        self.0.extend(b"RSDS");
        self.u32(0x0102_0304).u16(0x0506).u16(0x0708).0.extend([9, 10, 11, 12, 13, 14, 15, 16]);
        self.u32(3).0.extend(b"made.pdb\0");
        (name, pdb)
    }

    fn module(&mut self, module: &Module, name: u32, pdb: u32) {
        let [a, b, c, d] = module.version;
        let (upper, lower) = (u32::from(a) << 16 | u32::from(b), u32::from(c) << 16 | u32::from(d));
        self.u64(module.base.into()).u32(module.size).u32(0).u32(0x4000_0000).u32(name);
        // The version resource's fixed part; none where the version is all zeros.
        let signature = if module.version == [0; 4] { 0 } else { 0xfeef_04bd };
        self.u32(signature).u32(0x1_0000).u32(upper).u32(lower).u32(upper).u32(lower).zeros(28);
        self.u32(33).u32(pdb).u32(0).u32(0).zeros(16);
    }

    /// The registers of x86: flags, debug registers, floating point, segments, then the general ones.
    fn context(&mut self, eip: u32, esp: u32, ebp: u32) {
        self.u32(0x1_0007).zeros(24).zeros(112).zeros(16).zeros(24);
        self.u32(ebp).u32(eip).u32(0x1b).u32(0x1_0246).u32(esp).u32(0x23).zeros(512);
    }
}
