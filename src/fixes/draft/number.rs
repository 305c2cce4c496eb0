//! Numbers of articles, in every spelling: `891509`, `KB891509`, `Q265514`; with the words before them or the title after.

/// The text after a word, without regard to case and to blanks and colons between.
pub(super) fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let at = text.to_ascii_lowercase().find(word)?;
    Some(text.get(at + word.len()..)?.trim_start_matches([' ', ':', '\t']))
}

/// `891509` or `Q265514` at the beginning of a text.
pub(super) fn number(text: &str) -> Option<String> {
    let (mark, rest) = match text.strip_prefix('Q') {
        Some(rest) => ("Q", rest),
        None => ("KB", text.strip_prefix("KB").unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let digits = rest.get(..end)?;
    (5..=7).contains(&digits.len()).then(|| format!("{mark}{digits}"))
}

/// A number of an article at the beginning of a line that goes on with its title, or is all there is.
pub(super) fn cited_number(text: &str) -> Option<String> {
    let text = text.trim_start();
    let id = number(text)?;
    let length = id.trim_start_matches("KB").len();
    let rest = text.get(length..)?;
    let title = rest.trim_start_matches([' ', '\u{fffd}', '\u{a0}']);
    let apart = rest.len() != title.len() || rest.is_empty();
    (apart && (title.is_empty() || title.starts_with(|c: char| c.is_ascii_uppercase())))
        .then_some(id)
}

/// `Microsoft KB Archive/900326`: a line that is the number's alone.
pub(super) fn number_only(text: &str) -> Option<String> {
    after(text, "microsoft kb archive/").and_then(number)
}
