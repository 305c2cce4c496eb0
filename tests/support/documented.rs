//! Whether `docs/json-schema.md` has exactly the fields that a value has.

use std::collections::BTreeSet;

use serde_json::Value;

/// Every field's path: `suspects[].stack[].module`.
pub fn paths(value: &Value, at: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let path = if at.is_empty() { field.clone() } else { format!("{at}.{field}") };
                all.insert(path.clone());
                paths(value, &path, all);
            }
        }
        Value::Array(items) => {
            assert!(!items.is_empty(), "{at}: the sample must show every field");
            items.iter().for_each(|item| paths(item, &format!("{at}[]"), all));
        }
        _ => {}
    }
}

/// The paths of a table in the documentation: its rows' first cells, below a heading.
pub fn documented(heading: &str) -> BTreeSet<String> {
    let text = include_str!("../../docs/json-schema.md");
    let from = text.find(&format!("\n## {heading}\n")).expect("the heading") + 4;
    let section = &text[from..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}
