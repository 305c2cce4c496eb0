//! The fields of one line: hexadecimal numbers apart by one space, and texts. Since format 3 a text has its
//! length in bytes before it; before that it goes to the next space, or to the line's end.

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    sized: bool,
}

impl<'a> Fields<'a> {
    /// The fields behind a line's letter. `sized`: texts have their length before them.
    pub(super) fn of(rest: &'a [u8], sized: bool) -> Self {
        Fields { rest, sized }
    }

    /// The next number; `None` at the end and where it is none, or does not fit 64 bits.
    pub(super) fn number(&mut self) -> Option<u64> {
        let end = self.rest.iter().position(|byte| *byte == b' ').unwrap_or(self.rest.len());
        let digits = &self.rest[..end];
        if digits.is_empty() || digits.len() > 16 {
            return None;
        }
        let mut number = 0u64;
        for digit in digits {
            let value = char::from(*digit).to_digit(16)?;
            number = number << 4 | u64::from(value);
        }
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(number)
    }

    /// The next number, where it must fit 32 bits.
    pub(super) fn index(&mut self) -> Option<u32> {
        self.number().and_then(|number| u32::try_from(number).ok())
    }

    /// The next text, up to a space where texts have no length.
    pub(super) fn word(&mut self) -> Option<String> {
        let end = match self.sized {
            true => usize::try_from(self.number()?).ok()?,
            false => self.rest.iter().position(|byte| *byte == b' ').unwrap_or(self.rest.len()),
        };
        let text = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The text that is all the rest of the line.
    pub(super) fn text(mut self) -> Option<String> {
        match self.sized {
            true => self.word(),
            false => Some(self.whole()),
        }
    }

    /// The rest as it stands.
    pub(super) fn whole(self) -> String {
        String::from_utf8_lossy(self.rest).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hexadecimal_and_texts_have_their_length() {
        let mut fields = Fields::of(b"1f 5 a b c ff", true);
        assert_eq!(fields.number(), Some(0x1f));
        assert_eq!(fields.word().as_deref(), Some("a b c"));
        assert_eq!(fields.number(), Some(0xff));
        assert_eq!(fields.number(), None);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", " ", "xyz", "-1", "10000000000000000", "1\u{e9}"] {
            assert_eq!(Fields::of(text.as_bytes(), true).number(), None, "{text}");
        }
        assert_eq!(Fields::of(b"ffffffff1", true).index(), None);
        assert_eq!(Fields::of(b"5 abc", true).word(), None);
        assert_eq!(Fields::of(b"ffffffffffffffff abc", true).word(), None);
    }

    #[test]
    fn a_text_without_length_goes_to_the_line_s_end_or_to_a_space() {
        assert_eq!(
            Fields::of(b"operator new(unsigned long)", false).text().as_deref(),
            Some("operator new(unsigned long)")
        );
        assert_eq!(
            Fields::of(b"/lib/libc.so.6 7f00", false).word().as_deref(),
            Some("/lib/libc.so.6")
        );
    }
}
