//! A chunk's bytes, uncompressed. The length that its header claims was checked by the caller; what
//! does not unpack to exactly that length is damaged.

use std::io;

use super::chunk::ChunkHeader;
use super::cursor::PADDING;
use super::tags::compression;

/// Unpacks chunks, one at a time, into the same room.
pub(super) struct Unpacker {
    decompressor: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
}

impl Unpacker {
    pub fn new() -> io::Result<Self> {
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, plain: Vec::new() })
    }

    /// The last chunk's bytes, and [`PADDING`] zeros behind them.
    pub fn padded(&self) -> &[u8] {
        &self.plain
    }

    /// Unpacks a chunk; false where it is damaged.
    pub fn unpack(&mut self, header: &ChunkHeader, stored: &[u8]) -> bool {
        let len = header.plain_len as usize;
        if self.plain.len() < len + PADDING {
            self.plain.resize(len + PADDING, 0);
        }
        let (bytes, padding) = self.plain.split_at_mut(len);
        padding[..PADDING].fill(0);
        match header.compression {
            compression::STORED if stored.len() == len => {
                bytes.copy_from_slice(stored);
                true
            }
            compression::ZSTD => {
                let unpacked = self.decompressor.decompress_to_buffer(stored, bytes);
                unpacked.is_ok_and(|written| written == len)
            }
            _ => false,
        }
    }
}
