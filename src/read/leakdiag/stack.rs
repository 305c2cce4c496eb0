//! `STACK` and what is in it.
//!
//! ```text
//! <STACK numallocs="3120" size="260" totalsize="811200">
//!   <STACKSTATS><SIZESTAT size="260" numallocs="3120"/><HEAPSTAT handle="140000" numallocs="3120"/></STACKSTATS>
//!   <FRAME num="0" dll="Cdoexm.dll" function="CStore::Open" offset="0x4a" filename="" line="" addr="0x61804a10"/>
//! ```

use crate::read::text::moment::DEEPEST;
use crate::read::text::{TextFrame, after_0x, hex};

/// The most text of one stack's frames, in bytes.
const LONGEST: usize = 1 << 24;

/// One stack's live blocks.
#[derive(Debug, Default)]
pub(super) struct Stack {
    pub blocks: u64,
    /// The mean size, rounded.
    size: Option<u64>,
    total: Option<u64>,
    frames: Vec<(Option<u64>, TextFrame)>,
    /// How much text they have, in bytes.
    text: usize,
}

impl Stack {
    /// From the attributes of `STACK`.
    pub(super) fn new(attribute: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name| attribute(name).and_then(|text| number(&text));
        Stack {
            blocks: number("numallocs").unwrap_or_default(),
            size: number("size"),
            total: number("totalsize"),
            frames: Vec::new(),
            text: 0,
        }
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> u64 {
        let product = || self.size.unwrap_or_default().saturating_mul(self.blocks);
        self.total.unwrap_or_else(product)
    }

    /// Whether the mean size is that of the sums, or either is not there.
    pub(super) fn is_consistent(&self) -> bool {
        let (Some(size), Some(total)) = (self.size, self.total) else { return true };
        total.checked_div(self.blocks).is_none_or(|mean| mean.abs_diff(size) <= 1)
    }

    /// Adds a frame from the attributes of `FRAME`; false where there are too many.
    pub(super) fn frame(&mut self, attribute: impl Fn(&str) -> Option<String>) -> bool {
        if self.frames.len() >= DEEPEST {
            return false;
        }
        let text = |name| attribute(name).map(|text| text.trim().to_owned());
        let filled = |name| text(name).filter(|text| !text.is_empty());
        let number = |name| filled(name).and_then(|text| number(&text));
        let function = filled("function").filter(|name| !name.starts_with("???"));
        let address = number("addr");
        // Of what an offset is without a function is not documented; the address tells as much.
        let displacement = number("offset").filter(|_| function.is_some() || address.is_none());
        let frame = TextFrame {
            module: filled("dll"),
            function,
            displacement,
            address,
            file: filled("filename"),
            line: number("line").and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0),
        };
        let texts = [&frame.module, &frame.function, &frame.file];
        self.text += texts.into_iter().flatten().map(String::len).sum::<usize>();
        if self.text > LONGEST {
            return false;
        }
        self.frames.push((number("num"), frame));
        true
    }

    /// Innermost first: the lowest number, where they go down instead.
    pub(super) fn frames(self) -> Vec<TextFrame> {
        let (first, last) = (self.frames.first(), self.frames.last());
        let number = |frame: Option<&(Option<u64>, _)>| frame.and_then(|frame| frame.0);
        let down = number(first) > number(last) && number(last).is_some();
        let frames = self.frames.into_iter().map(|(_, frame)| frame);
        if down { frames.rev().collect() } else { frames.collect() }
    }
}

/// A number: hexadecimal where it says so or has a digit above 9.
fn number(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('+');
    if let Some(digits) = after_0x(text) {
        return u64::from_str_radix(digits, 16).ok();
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.parse().ok().or_else(|| hex(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, value) in [
            ("19000", Some(19000)),
            ("0x1f", Some(31)),
            ("+0x1f", Some(31)),
            ("7d0000", Some(0x7d_0000)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
    }
}
