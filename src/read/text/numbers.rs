//! Numbers as tools of Windows write them.

/// Hexadecimal digits, without a sign and with nothing before them.
pub(in crate::read) fn hex(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// What follows `0x`; `None` where that is not there.
pub(in crate::read) fn after_0x(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number() {
        for (text, number) in [
            ("0", Some(0)),
            ("fF", Some(255)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("10000000000000000", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("0x1", None),
        ] {
            assert_eq!(hex(text), number, "{text}");
        }
        assert_eq!(after_0x("0X1f"), Some("1f"));
        assert_eq!(after_0x("1f"), None);
    }
}
