//! Published fixes: suspects in, matches out; texts in, entries or problems out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "fixes/articles.rs"]
mod articles;
#[path = "fixes/catalogue.rs"]
mod catalogue;
#[path = "fixes/changelogs.rs"]
mod changelogs;
#[path = "fixes/dismissed.rs"]
mod dismissed;
#[path = "support/documented.rs"]
mod documented;
#[path = "fixes/draft.rs"]
mod draft;
#[path = "fixes/entries.rs"]
mod entries;
#[path = "fixes/format.rs"]
mod format;
#[path = "fixes/many.rs"]
mod many;
#[cfg(target_os = "linux")]
#[path = "fixes/others.rs"]
mod others;
#[cfg(target_os = "linux")]
mod support;
#[path = "fixes/suspect.rs"]
mod suspect;
#[path = "fixes/versions.rs"]
mod versions;
#[path = "fixes/whole.rs"]
mod whole;
