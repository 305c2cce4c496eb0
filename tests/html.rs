//! The report as HTML and Markdown: what a hostile name can do in them, how large they get, and what a real browser makes of
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "html/browser.rs"]
mod browser;
#[allow(dead_code, reason = "tests of the text use the rest")]
mod sample;
mod support;

use sample::{full, growth, hostile, nothing, over_release};
use unfreed::report::flame::{Flame, Weighed};
use unfreed::report::html::{self, Made};
use unfreed::report::markdown;
use unfreed::report::model::Report;

/// What somebody may call a function who wants to reach the reader of a report.
const NAMES: [&str; 8] = [
    "<script>window.hit=1</script>",
    "\"><img src=x onerror=window.hit=1>",
    "'\"--></style></script><script>window.hit=1</script>",
    "]]></script><svg onload=window.hit=1>",
    "javascript:window.hit=1//<a href=javascript:window.hit=1>",
    "</iframe><script>parent.hit=1</script>;<b>",
    "\u{202e}txt.exe\u{1b}]0;owned\u{7}",
    "[a](http://example.org/) ![b](http://example.org/b.png) `` ` `` **c** <d> # e",
];

fn made() -> Made {
    Made {
        version: "0.1.0".to_owned(),
        command: "unfreed report 'a b' -o c.html".to_owned(),
        case: Some("unfreed report 'a b' -o c.zip".to_owned()),
    }
}

fn flame_of(names: &[&str]) -> Flame {
    let stack = |(at, name): (usize, &&str)| Weighed {
        frames: vec!["mosquitto (7)".to_owned(), "main".to_owned(), (*name).to_owned()],
        modules: Vec::new(),
        bytes: 1000 * (at as u64 + 1),
    };
    Flame { stacks: names.iter().enumerate().map(stack).collect(), rest_bytes: 5 }
}

/// A report in which every name is hostile.
fn all_hostile() -> Report {
    let mut report = full();
    let mut names = NAMES.iter().cycle().map(|name| (*name).to_owned());
    let mut next = || names.next().unwrap();
    report.target[0].name = next();
    report.target[0].command = vec![next()];
    for suspect in &mut report.suspects {
        (suspect.function, suspect.process) = (next(), next());
        (suspect.module.name, suspect.module.path) = (next(), next());
        (suspect.module.version, suspect.module.package) = (Some(next()), Some(next()));
        for frame in &mut suspect.stack {
            (frame.function, frame.module, frame.file) = (Some(next()), Some(next()), Some(next()));
        }
        for fix in &mut suspect.fixes {
            (fix.id, fix.title, fix.source) = (next(), next(), next());
            fix.remedy.steps = vec![next()];
        }
    }
    for listed in &mut report.modules {
        let module = &mut listed.module;
        (module.name, module.path, module.build_id) = (next(), next(), Some(next()));
    }
    for note in &mut report.source.notes {
        (note.about, note.text) = (next(), Some(next()));
    }
    report.faults[0].what = next();
    report.not_traced[0].program = next();
    report
}

/// So many suspects, each in a function of its own.
fn many(suspects: usize) -> Report {
    let mut report = growth();
    let one = report.suspects[0].clone();
    report.suspects = (0..suspects)
        .map(|n| {
            let mut suspect = one.clone();
            suspect.function =
                format!("std::vector<Session{n}, std::allocator<Session{n}>>::push_back");
            suspect
        })
        .collect();
    report
}

#[test]
fn no_name_is_markup() {
    let text = html::render(&all_hostile(), &flame_of(&NAMES), &made());
    for raw in
        ["<script>window", "<img", "<svg onload", "</iframe><script>parent", "\u{202e}", "\u{1b}"]
    {
        assert!(!text.contains(raw), "{raw:?} in the HTML");
    }
    let text = markdown::render(&all_hostile(), &made());
    let parsed = pulldown_cmark::Parser::new_ext(&text, pulldown_cmark::Options::all());
    for event in parsed {
        use pulldown_cmark::{Event, Tag};
        let bad = matches!(
            event,
            Event::Html(_)
                | Event::InlineHtml(_)
                | Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
        );
        assert!(!bad, "{event:?} in {text}");
    }
}

#[test]
fn a_thousand_suspects_stay_below_five_megabytes() {
    let text = html::render(&many(1000), &Flame::default(), &made());
    println!("{} bytes", text.len());
    assert!(text.len() < 5_000_000, "{} bytes", text.len());
    assert!(text.contains("Session999"), "the last one is named too");
}

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "browser and node are Linux's; the pages are the same to the byte, which .ci/windows holds against each other"
)]
fn a_real_browser_finds_nothing_wrong() {
    let Some(browser) = browser::Browser::find() else { return };
    let everywhere: &[u32] = &[390, 1280, 2560];
    for (name, report, flame, widths) in [
        (
            "full",
            full(),
            flame_of(&["packet__read_string", "a;b", "mosquitto__malloc"]),
            everywhere,
        ),
        ("hostile", all_hostile(), flame_of(&NAMES), everywhere),
        ("cut", hostile(), Flame::default(), &[390]),
        ("nothing", nothing(), Flame::default(), &[390]),
        ("over-release", over_release(), Flame::default(), &[390]),
        // It is the time to open it that matters here; each look takes a browser long.
        ("many", many(1000), Flame::default(), &[1280]),
    ] {
        browser.look(name, &html::render(&report, &flame, &made()), widths);
    }
}

#[test]
fn markdown_says_what_the_text_says() {
    let text = markdown::render(&growth(), &made());
    for says in [
        "# Memory report",
        "**Growth, likely a leak:** `mosquitto`",
        "- **Where**: `packet__read_string` in ",
        "```text\n",
        "> packet__read_string",
        "`unfreed report 'a b' -o c.html`",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
}
