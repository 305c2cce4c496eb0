//! The report for programs. The same events give the same bytes; `docs/json-schema.md` documents
//! every field. Characters that could repaint a terminal are written as `\u` escapes, which JSON
//! readers give back unchanged: people do look at JSON on a screen.

use serde::Serialize;

use super::text::safe::is_unsafe;

/// Renders as indented JSON, with a newline at the end.
///
/// Fails only where a map has keys that are no strings; the models here have none.
pub fn render<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut out = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // Line feeds stand between values; within strings they are already escaped.
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    Ok(out)
}
