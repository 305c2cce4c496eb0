//! Text from outside made fit for a terminal: names, paths and command lines come from traced
//! processes and from files that strangers sent. Control characters, escape sequences, bidi
//! overrides and whatever else has no width of its own are written as escapes (`\u{202e}`), so
//! that a width is the sum of its characters' and no name can repaint the screen.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Whether a character may not reach a terminal as it is: controls, and all that has no width of
/// its own (bidi controls, joiners, tags, stray combining marks).
pub fn is_unsafe(c: char) -> bool {
    // Hangul fillers have a width, but nothing to see in it.
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
        || c.is_control()
        || c.width().is_none_or(|width| width == 0)
}

/// The text with every unsafe character escaped.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Columns that an escaped text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text in at most `columns` columns; what does not fit is left out in the middle, where `…`
/// stands: a path's beginning and its file name, a function's namespace and its last part say most.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let tail_columns = (columns - 1).div_ceil(2);
    let head = head(text, columns - 1 - tail_columns);
    let tail = tail(text, tail_columns);
    Cow::Owned(format!("{head}…{tail}"))
}

/// The longest beginning of the text that takes at most `columns` columns.
pub fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The longest end of the text that takes at most `columns` columns.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_repaints_a_screen_is_escaped() {
        assert_eq!(escape("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("evil\u{202e}gpj.exe"), "evil\\u{202e}gpj.exe");
        assert_eq!(escape("two\nlines\r"), "two\\nlines\\r");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m", "the one-character CSI");
        assert_eq!(escape("zero\u{200b}width"), "zero\\u{200b}width");
        assert_eq!(escape("größe 値"), "größe 値");
    }

    #[test]
    fn the_middle_goes_first() {
        assert_eq!(fit("/usr/lib/x86_64-linux-gnu/libc.so.6", 20), "/usr/lib/…/libc.so.6");
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 1), "…");
        assert_eq!(fit("値値値値", 5), "値…値");
    }

    proptest! {
        #[test]
        fn escaped_text_is_safe_and_fits(text in any::<String>(), columns in 0usize..50) {
            let escaped = escape(&text);
            prop_assert!(!escaped.chars().any(is_unsafe));
            prop_assert!(width(&fit(&escaped, columns)) <= columns);
        }
    }
}
