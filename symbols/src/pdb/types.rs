//! The records of types, made safe for a parser that follows them wherever they lead: it makes room
//! for as many arguments as a record claims, and recurses as deep as types nest. Records that no
//! function's name needs, that claim too much or that nest too deeply become unknown ones, and cost the
//! names that need them.
//!
//! ```text
//! header: version, header size, first index, end of indexes (4 bytes each), ...
//! record: its length without this field (2 bytes), kind (2 bytes), what the kind has
//! ```

/// How deep types may nest.
const DEPTH_MOST: u8 = 96;
/// A kind that is none.
const UNKNOWN: [u8; 2] = [0, 0];

/// The stream of types or ids with harmless records only, of the same length.
pub(super) fn made_safe(stream: &[u8]) -> Vec<u8> {
    let mut bytes = stream.to_vec();
    let (Some(header), Some(first)) = (word(&bytes, 4), word(&bytes, 8)) else { return bytes };
    let mut at = header as usize;
    let mut depths: Vec<u8> = Vec::new();
    while let Some(length) = half(&bytes, at) {
        let (start, end) = (at + 2, at + 2 + usize::from(length));
        if length < 2 || end > bytes.len() {
            break;
        }
        let depth = depth(&bytes[start..end], first, &depths);
        depths.push(depth.unwrap_or(0));
        if depth.is_none_or(|depth| depth > DEPTH_MOST) {
            bytes[start..start + 2].copy_from_slice(&UNKNOWN);
        }
        at = end;
    }
    // Room is made for as many indexes as the header claims.
    let count = u32::try_from(depths.len()).unwrap_or(u32::MAX);
    let end = first.saturating_add(count);
    if let Some(claimed) = word(&bytes, 12)
        && claimed > end
    {
        bytes[12..16].copy_from_slice(&end.to_le_bytes());
    }
    bytes
}

/// How deep a record nests; `None` for one that is not to be used.
fn depth(record: &[u8], first: u32, depths: &[u8]) -> Option<u8> {
    let (kind, data) = record.split_at_checked(2)?;
    let references: &[usize] = match u16::from_le_bytes(kind.try_into().ok()?) {
        // Modifier, pointer, bit field, arrays, alias.
        0x1001 | 0x1002 | 0x1205 | 0x150a => &[0],
        0x1003 | 0x1503 | 0x1516 => &[0, 4],
        // Procedure: what it returns, its arguments. Member function: its class and `this` too.
        0x1008 => &[0, 8],
        0x1009 => &[0, 4, 8, 16],
        // Arguments, and parts of a string: their count, then each.
        0x1201 | 0x1604 => return list(data, first, depths),
        // Classes, structures, unions, enumerations, interfaces: only their names are used.
        0x1004..=0x1007 | 0x1504..=0x1507 | 0x1519 => &[],
        // A function's scope, and a member function's class.
        0x1601 | 0x1602 | 0x1605 => &[0],
        // Where a type was defined.
        0x1603 | 0x1606 | 0x1607 => &[],
        _ => return None,
    };
    references.iter().try_fold(0, |deepest, &at| {
        let below = below(word(data, at)?, first, depths)?;
        Some(deepest.max(below))
    })
}

fn list(data: &[u8], first: u32, depths: &[u8]) -> Option<u8> {
    let count = word(data, 0)? as usize;
    let items = data.get(4..)?.get(..count.checked_mul(4)?)?;
    items.chunks_exact(4).try_fold(0, |deepest, item| {
        let index = u32::from_le_bytes(item.try_into().ok()?);
        Some(deepest.max(below(index, first, depths)?))
    })
}

/// How deep a record nests that refers to this one. References to later ones may go in circles.
///
/// An id may also refer to a type, which this does not see: that is one level more, to a stream that was
/// made safe itself.
fn below(index: u32, first: u32, depths: &[u8]) -> Option<u8> {
    let Some(place) = index.checked_sub(first) else { return Some(1) };
    depths.get(place as usize).map(|depth| depth.saturating_add(1))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.get(..4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.get(..2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const FIRST: u32 = 0x1000;

    /// A stream of records: kind, then words.
    fn stream(claimed: u32, records: &[(u16, Vec<u32>)]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [20_040_203, 56, FIRST, claimed]
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        bytes.resize(56, 0);
        for (kind, words) in records {
            let length = u16::try_from(2 + words.len() * 4).unwrap();
            bytes.extend(length.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes
    }

    /// The kinds that are left of these records.
    fn kinds(records: &[(u16, Vec<u32>)]) -> Vec<u16> {
        let count = u32::try_from(records.len()).unwrap();
        let safe = made_safe(&stream(FIRST + count, records));
        let mut at = 56;
        records
            .iter()
            .map(|_| {
                let kind = half(&safe, at + 2).unwrap();
                at += 2 + usize::from(half(&safe, at).unwrap());
                kind
            })
            .collect()
    }

    #[test]
    fn ordinary_records_stay_as_they_are() {
        let records = [
            (0x1201, vec![2, 0x74, 0x75]),
            (0x1008, vec![0x74, 0, FIRST]),
            (0x1002, vec![FIRST + 1, 0x800a]),
            (0x1505, vec![0, 0, 0, 0]),
            (0x1009, vec![0x74, FIRST + 3, FIRST + 2, 0, FIRST]),
        ];
        let bytes = stream(FIRST + 5, &records);
        assert_eq!(made_safe(&bytes), bytes);
    }

    #[test]
    fn what_leads_astray_becomes_unknown() {
        for (kind, words) in [
            // More arguments than the record has, one that is to come, and itself.
            (0x1201, vec![3, 0x74, 0x75]),
            (0x1201, vec![u32::MAX, 0x74]),
            (0x1201, vec![1, FIRST + 1]),
            (0x1002, vec![FIRST, 0]),
            (0x1002, vec![]),
            // Lists of fields may hold others within.
            (0x1203, vec![0x1203_1203]),
            (0xffff, vec![]),
        ] {
            assert_eq!(
                kinds(&[(kind, words.clone()), (0x1002, vec![0x74, 0])]),
                [0, 0x1002],
                "{words:?}"
            );
        }
    }

    #[test]
    fn pointers_to_pointers_end_somewhere() {
        let chain = |first: u32| {
            (0..1000)
                .map(move |n: u32| (0x1002, vec![if n == 0 { 0x74 } else { first + n - 1 }, 0]))
        };
        let left = kinds(&chain(FIRST).collect::<Vec<_>>());
        assert!(left[..usize::from(DEPTH_MOST)].iter().all(|&kind| kind == 0x1002));
        assert!(left[usize::from(DEPTH_MOST) + 1..].iter().all(|&kind| kind == 0));
    }

    #[test]
    fn no_more_indexes_are_claimed_than_there_are_records() {
        let safe = made_safe(&stream(u32::MAX, &[(0x1002, vec![0x74, 0])]));
        assert_eq!(word(&safe, 12), Some(FIRST + 1));
        for bytes in [vec![], vec![0; 15], vec![0xff; 300]] {
            assert_eq!(made_safe(&bytes).len(), bytes.len());
        }
    }
}
