//! Fields of a protocol buffer, as <https://protobuf.dev/programming-guides/encoding/> has them: integers and what has
//! a length. Zero and what is empty is left out, as proto3 has it.

/// A message in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// An integer; negative ones of `int64` go as their two's complement.
    pub(super) fn integer(mut self, field: u32, value: u64) -> Self {
        if value != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(value);
        }
        self
    }

    pub(super) fn flag(self, field: u32, value: bool) -> Self {
        self.integer(field, value.into())
    }

    /// Several integers, packed.
    pub(super) fn integers(self, field: u32, values: &[u64]) -> Self {
        let mut packed = Message::default();
        values.iter().for_each(|value| packed.varint(*value));
        if packed.0.is_empty() { self } else { self.bytes(field, &packed.0) }
    }

    /// A message within the message; it counts even where it is empty.
    pub(super) fn message(self, field: u32, message: Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// A text, or any bytes; an entry of a list even where it is empty.
    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl From<Vec<u8>> for Message {
    fn from(fields: Vec<u8>) -> Self {
        Message(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(Message::default().integer(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let text = Message::default().bytes(2, b"testing").into_bytes();
        assert_eq!(text, [b"\x12\x07".as_slice(), b"testing"].concat());
        let packed = Message::default().integers(6, &[3, 270, 86942]).into_bytes();
        assert_eq!(packed, [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
        assert!(Message::default().integer(1, 0).integers(2, &[]).into_bytes().is_empty());
        let most = Message::default().integer(1, u64::MAX).into_bytes();
        assert_eq!(most.len(), 11);
    }
}
