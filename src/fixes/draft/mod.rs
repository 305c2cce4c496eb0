//! A draft of an entry from a saved knowledge base article. Articles come as plain text in many layouts: with a title
//! or without, with headings on lines of their own or run into the text, with tables or with a table flattened into one line.
//! What is recognised becomes a key of the entry; every other sentence is left as a comment with the article's line number,
//! so that nothing is lost and nothing guessed. Texts are never copied into the entry: they are to be said in one's own words,
//! and `unfreed fixes check` refuses the draft until they are.

mod article;
mod facts;
mod files;
mod number;
mod write;

/// The longest article that is read: 100 times the longest yet.
pub const MAX_LENGTH: usize = 1 << 20;

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The id that the article's number makes; `DRAFT` where none was found. The file is to be named after it.
    pub id: String,
    /// The text of the file: always TOML, not yet an entry.
    pub text: String,
}

/// Drafts an entry from an article. Of a text longer than [`MAX_LENGTH`] only the beginning is read, and that is said.
pub fn draft(text: &str) -> Draft {
    let (text, cut) = if text.len() > MAX_LENGTH {
        (text.get(..text.floor_char_boundary(MAX_LENGTH)).unwrap_or_default(), true)
    } else {
        (text, false)
    };
    let mut article = article::Article::split(text);
    let files = files::take(&mut article);
    let facts = facts::take(&mut article);
    write::write(&article, &facts, &files, cut)
}
