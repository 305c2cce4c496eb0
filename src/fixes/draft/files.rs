//! The files of an article: tables of date, time, version, size and name in any order, also flattened into one line. A
//! word is told by what it looks like, a row by its name: tables whose heading begins with names begin a row with each, the
//! others end one. What is left of a sentence that had a row in it stays.

use super::article::{Article, Section};
use crate::fixes::version::FileVersion;

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub name: String,
    pub version: Option<String>,
    pub size: Option<u64>,
    pub line: usize,
    /// The whole row, with what no key says: date, time, platform.
    pub row: String,
}

/// Takes every row out of the section that has the table.
pub(super) fn take(article: &mut Article) -> Vec<File> {
    let mut rows = Vec::new();
    let mut name_first = false;
    for piece in article.of(Section::Files) {
        let lower = piece.text.to_ascii_lowercase();
        let names = lower.find("file name");
        let header = names.filter(|_| lower.contains("date") || lower.contains("size"));
        if let Some(at) = header {
            name_first = lower.find("date").is_none_or(|date| at < date);
        }
        let words: Vec<&str> = piece.text.split_whitespace().collect();
        let (found, left) = rows_of(&words, name_first, piece.line);
        if !found.is_empty() || header.is_some() {
            let left: Vec<&str> = left.into_iter().filter(|word| !is_heading(word)).collect();
            piece.used = left.is_empty();
            piece.text = left.join(" ");
            rows.extend(found);
        }
    }
    rows
}

/// The rows among some words, and the words that are in none.
fn rows_of<'w>(words: &[&'w str], name_first: bool, line: usize) -> (Vec<File>, Vec<&'w str>) {
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    let (mut row, mut of_row) = (File { line, ..File::default() }, Vec::new());
    // What turns out to be no row goes back to what is left.
    let mut finish = |row: &mut File, of_row: &mut Vec<&'w str>, left: &mut Vec<&'w str>| {
        let mut row = std::mem::replace(row, File { line, ..File::default() });
        if !row.name.is_empty() && (row.version.is_some() || row.size.is_some()) {
            row.row = std::mem::take(of_row).join(" ");
            rows.push(row);
        } else {
            left.append(of_row);
        }
    };
    for &word in words {
        let what = Word::of(word);
        match what {
            Word::Name if name_first => finish(&mut row, &mut of_row, &mut left),
            Word::Rule => continue,
            Word::Other => {
                left.push(word);
                continue;
            }
            _ => {}
        }
        of_row.push(word);
        match what {
            Word::Name => {
                word.clone_into(&mut row.name);
                if !name_first {
                    finish(&mut row, &mut of_row, &mut left);
                }
            }
            // A file of a kind that is not known ends a row, too: its version is not the next file's.
            Word::OtherName => {
                row.name.clear();
                finish(&mut row, &mut of_row, &mut left);
            }
            Word::Version => row.version = Some(word.to_owned()),
            Word::Size(size) => row.size = Some(size),
            Word::Beside | Word::Rule | Word::Other => {}
        }
    }
    finish(&mut row, &mut of_row, &mut left);
    (rows, left)
}

/// What a word of a table is.
enum Word {
    Name,
    /// Something else that looks like a file's name.
    OtherName,
    Version,
    Size(u64),
    /// A date, a time, a platform.
    Beside,
    /// A line below a heading.
    Rule,
    Other,
}

impl Word {
    fn of(word: &str) -> Word {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let name = word.rsplit_once('.').filter(|(stem, end)| {
            let ends = ["dll", "exe", "sys", "ocx", "tlb", "cpl", "drv", "asp", "inf", "vxd"];
            !stem.is_empty() && ends.iter().any(|known| known.eq_ignore_ascii_case(end))
        });
        if name.is_some() {
            return Word::Name;
        }
        if word.matches('.').count() >= 2 && FileVersion::parse(word).is_some() {
            return Word::Version;
        }
        let number = word.replace(',', "");
        if digits(&number) && number.len() >= 4 {
            return number.parse().map_or(Word::Other, Word::Size);
        }
        let date =
            word.split(['-', '/']).count() == 3 && word.starts_with(|c: char| c.is_ascii_digit());
        let time = word.split_once(':').is_some_and(|(hours, minutes)| {
            digits(hours) && minutes.starts_with(|c: char| c.is_ascii_digit())
        });
        let platform =
            ["x86", "i386", "alpha", "ia64", "x64"].contains(&word.to_ascii_lowercase().as_str());
        let rule = word.len() > 2 && word.bytes().all(|b| b == b'-');
        let ended = word.rsplit_once('.').filter(|(stem, end)| {
            let letters = end.bytes().all(|b| b.is_ascii_alphanumeric());
            !stem.is_empty() && (1..=4).contains(&end.len()) && letters
        });
        match () {
            () if rule => Word::Rule,
            () if date || time || platform => Word::Beside,
            () if ended
                .is_some_and(|(_, end)| end.starts_with(|c: char| c.is_ascii_alphabetic())) =>
            {
                Word::OtherName
            }
            () => Word::Other,
        }
    }
}

/// A word of a table's heading.
fn is_heading(word: &str) -> bool {
    ["date", "time", "version", "size", "file", "name", "platform"]
        .contains(&word.to_ascii_lowercase().as_str())
}
