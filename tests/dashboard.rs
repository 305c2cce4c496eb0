//! The dashboard's screens, drawn to memory: every view at three sizes, empty, full, huge and with names that mean harm, and
//! what keys and the mouse do. `INSTA_UPDATE=always cargo test --test dashboard` writes the golden screens anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[allow(dead_code, reason = "tests of the text use the rest")]
mod sample;

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use sample::{growth, hostile, nothing, over_release, sampled};
use unfreed::dashboard::{
    Effect, Input, Key, Leave, MarkShown, MemoryCurve, OwnCost, Phase, Played, Progress, Redraws,
    Setting, Snapshot, State, View, draw,
};
use unfreed::event::{Mark, Metric};
use unfreed::report::flame::{Flame, Weighed};
use unfreed::report::model::{Losses, MemoryShown, Report, Suspect};
use unfreed::report::text::safe;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn setting(played: Played) -> Setting {
    let recording = (played == Played::Live).then(|| "mail.trace".to_owned());
    Setting { title: "mosquitto -c broker.conf".to_owned(), played, recording, color: true }
}

fn snapshot(mut report: Report) -> Snapshot {
    if let Some(target) = report.target.first_mut() {
        target.memory = Some(MemoryShown {
            metric: Metric::Rss,
            from_s: 0.0,
            to_s: 200.0,
            first_bytes: 9 << 20,
            last_bytes: 11 << 20,
            growth_bytes: 2 << 20,
            live_blocks_bytes: Some(1_600_000),
            mapped_bytes: Some(0),
            heap_committed_bytes: None,
            managed_heap_bytes: None,
            unexplained_bytes: Some(497_152),
            runtimes: Vec::new(),
        });
    }
    let points =
        (0..200).map(|s| (f64::from(s), (9 << 20) + u64::from(s as u32) * 10_485)).collect();
    let memory = report
        .target
        .iter()
        .map(|_| MemoryCurve { metric: Some(Metric::Rss), points: Vec::clone(&points) });
    Snapshot {
        memory: memory.collect(),
        events: 2_469_000,
        at_s: 200.0,
        marks: vec![MarkShown { at_s: 100.0, text: "messages sent".to_owned(), count: Some(1000) }],
        flame: Some(flame()),
        phase: Phase::Running,
        judged_in_s: 0.012,
        own: Some(OwnCost { all: 0.214, judging: 0.0087 }),
        report,
    }
}

fn flame() -> Flame {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let stack = |frames: &[&str], modules: &[&str], bytes| Weighed {
        frames: owned(frames),
        modules: owned(modules),
        bytes,
    };
    let (process, main) = ("mosquitto (4711)", "main [mosquitto]");
    Flame {
        stacks: vec![
            stack(
                &[process, main, "handle__publish [mosquitto]", "packet__read_string [mosquitto]"],
                &[process, "mosquitto"],
                1_600_000,
            ),
            stack(
                &[process, main, "handle__publish [mosquitto]", "db__message_store [mosquitto]"],
                &[process, "mosquitto", "libc.so.6"],
                400_000,
            ),
            stack(&[process, main, "config__read [mosquitto]"], &[process, "mosquitto"], 98_304),
        ],
        rest_bytes: 12_288,
    }
}

/// A dashboard that was told all this.
fn told(played: Played, size: (u16, u16), snapshot: Snapshot, keys: &[Key]) -> State {
    let mut state = State::new(setting(played), size.0, size.1);
    state.apply(Input::Snapshot(Arc::new(snapshot)));
    for key in keys {
        state.apply(Input::Key(*key));
    }
    state
}

fn drawn(state: &State, size: (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen as text. Nothing in it can move a terminal's cursor.
fn text(state: &State, size: (u16, u16)) -> String {
    let buffer = drawn(state, size);
    let mut all = String::new();
    for row in 0..size.1 {
        let mut line = String::new();
        let mut column = 0;
        while column < size.0 {
            let symbol = buffer[(column, row)].symbol();
            assert!(!symbol.chars().any(safe::is_unsafe), "{symbol:?}");
            line.push_str(symbol);
            column += safe::width(symbol).max(1) as u16;
        }
        all.push_str(line.trim_end());
        all.push('\n');
    }
    all
}

fn golden(name: &str, snapshot: &Snapshot, keys: &[Key]) {
    let all: Vec<String> = SIZES
        .iter()
        .map(|size| {
            let state = told(Played::Live, *size, snapshot.clone(), keys);
            format!("{} x {}\n{}", size.0, size.1, text(&state, *size))
        })
        .collect();
    insta::assert_snapshot!(name, all.join("\n"));
}

const VIEWS: [(&str, &[Key]); 5] = [
    ("overview", &[Key::Char('1')]),
    ("suspects", &[Key::Char('2')]),
    ("detail", &[Key::Char('2'), Key::Enter]),
    ("stacks", &[Key::Char('4'), Key::Down, Key::Down]),
    ("help", &[Key::Char('?')]),
];

#[test]
fn every_view_of_a_growth() {
    for (name, keys) in VIEWS {
        golden(&format!("growth_{name}"), &snapshot(growth()), keys);
    }
}

#[test]
fn every_view_with_nothing_found() {
    for (name, keys) in &VIEWS[..4] {
        let empty =
            Snapshot { flame: Some(Flame::default()), marks: Vec::new(), ..snapshot(nothing()) };
        golden(&format!("nothing_{name}"), &empty, keys);
    }
    let state = State::new(setting(Played::Replay), 80, 24);
    insta::assert_snapshot!("before_anything", text(&state, (80, 24)));
}

#[test]
fn every_view_of_names_that_mean_harm() {
    for (name, keys) in &VIEWS[..4] {
        let mut bad = snapshot(hostile());
        let evil = "evil\x1b[2J\u{202e}gpj\u{200b}\n".to_owned() + &"T<".repeat(2_000);
        bad.flame = Some(Flame {
            stacks: vec![Weighed {
                frames: vec![evil.clone(); 3],
                modules: vec![evil.clone(); 2],
                bytes: 7,
            }],
            rest_bytes: 0,
        });
        bad.marks[0].text = evil;
        golden(&format!("hostile_{name}"), &bad, keys);
    }
}

/// As many suspects as nobody can look through, with names of 4,000 characters.
fn huge() -> Report {
    let mut report = growth();
    let one = report.suspects[0].clone();
    report.suspects = (0..3_000)
        .map(|n| {
            let mut suspect = one.clone();
            suspect.function = format!("{}{n}", "very_long_template<".repeat(210));
            suspect.stack[2].address = Some(format!("{n:#x}"));
            suspect.live_bytes = u64::MAX - n;
            suspect.growth_bytes_per_s = 1e18;
            suspect
        })
        .collect();
    report.totals.live_bytes = u64::MAX;
    report
}

#[test]
fn every_view_of_what_is_huge() {
    for (name, keys) in &VIEWS[..3] {
        golden(&format!("huge_{name}"), &snapshot(huge()), keys);
    }
}

#[test]
fn any_window_is_drawn() {
    for report in [growth(), nothing(), hostile(), over_release(), sampled()] {
        for columns in [1, 20, 39, 40, 41, 63, 80, 500] {
            for rows in [1, 5, 8, 9, 24, 200] {
                for (_, keys) in VIEWS {
                    let state =
                        told(Played::Replay, (columns, rows), snapshot(report.clone()), keys);
                    text(&state, (columns, rows));
                }
            }
        }
    }
}

#[test]
fn losses_stand_in_every_view() {
    let losses = Losses { events: 1_234, frees: 3, stacks: 5, bytes: 0 };
    for (_, keys) in &VIEWS {
        let state = told(
            Played::Live,
            (80, 24),
            snapshot(Report { losses: losses.clone(), ..growth() }),
            keys,
        );
        assert!(text(&state, (80, 24)).contains("LOST: 1,234 events, 5 stacks"));
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_nothing_is_missing() {
    for (_, keys) in VIEWS {
        let mut state = told(Played::Live, (80, 24), snapshot(growth()), keys);
        let colored = text(&state, (80, 24));
        let plain = Setting { color: false, ..setting(Played::Live) };
        state = State::new(plain, 80, 24);
        state.apply(Input::Snapshot(Arc::new(snapshot(growth()))));
        keys.iter().for_each(|key| drop(state.apply(Input::Key(*key))));
        assert_eq!(text(&state, (80, 24)), colored);
        let all_plain = drawn(&state, (80, 24))
            .content
            .iter()
            .all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset));
        assert!(all_plain);
    }
}

#[test]
fn colours_are_the_terminals_own_on_its_own_ground() {
    let own = [
        Color::Reset,
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    for (_, keys) in VIEWS {
        let state = told(Played::Live, (120, 40), snapshot(growth()), keys);
        for cell in drawn(&state, (120, 40)).content {
            // A ground of ours would be wrong on a light terminal or on a dark one.
            assert!(own.contains(&cell.fg) && cell.bg == Color::Reset, "{cell:?}");
        }
    }
}

/// A report with suspects at these addresses.
fn suspects(all: &[(u64, f64)]) -> Report {
    let mut report = growth();
    let one = report.suspects[0].clone();
    let suspect = |(address, growth): &(u64, f64)| {
        let mut suspect: Suspect = one.clone();
        suspect.function = format!("at_{address}");
        suspect.stack[2].address = Some(format!("{address:#x}"));
        suspect.growth_bytes_per_s = *growth;
        suspect
    };
    report.suspects = all.iter().map(suspect).collect();
    report
}

fn at(at_s: f64, report: Report) -> Input {
    Input::Snapshot(Arc::new(Snapshot { at_s, ..snapshot(report) }))
}

/// The line on which something stands.
fn line(state: &State, what: &str) -> (usize, String) {
    let text = text(state, (80, 24));
    let found = text.lines().enumerate().find(|(_, line)| line.contains(what));
    let (at, line) = found.unwrap_or_else(|| panic!("no {what} in\n{text}"));
    (at, line.to_owned())
}

#[test]
fn what_is_selected_stays_selected_and_in_its_line() {
    let many: Vec<(u64, f64)> = (100..150).map(|n| (n, 10.0)).collect();
    let mut state = told(Played::Live, (80, 24), snapshot(suspects(&many)), &[Key::Char('2')]);
    for _ in 0..30 {
        state.apply(Input::Key(Key::Down));
    }
    let (before, row) = line(&state, ">");
    assert!(row.contains("at_130"), "{row}");
    // Others come before it, and one that was before it goes.
    let mut more: Vec<(u64, f64)> = (500..507).map(|n| (n, 99.0)).collect();
    more.extend(many.iter().filter(|(n, _)| *n != 110));
    state.apply(at(201.0, suspects(&more)));
    let (after, row) = line(&state, ">");
    assert!(row.contains("at_130") && before == after, "{before} {after} {row}");
    // It goes: what took its place is selected.
    more.retain(|(n, _)| *n != 130);
    state.apply(at(202.0, suspects(&more)));
    assert!(line(&state, ">").1.contains("at_131"));
}

#[test]
fn new_and_worse_ones_are_marked_by_a_character() {
    let mut state =
        told(Played::Live, (80, 24), snapshot(suspects(&[(1, 10.0)])), &[Key::Char('2')]);
    assert!(line(&state, "at_1").1.starts_with(">  growth"));
    state.apply(at(201.0, suspects(&[(1, 20.0), (2, 5.0)])));
    assert!(line(&state, "at_1").1.starts_with(">^ growth"));
    assert!(line(&state, "at_2").1.starts_with(" + growth"));
    state.apply(at(262.0, suspects(&[(1, 20.0), (2, 5.0)])));
    state.apply(at(325.0, suspects(&[(1, 20.0), (2, 5.0)])));
    assert!(line(&state, "at_1").1.starts_with(">  growth"));
    assert!(line(&state, "at_2").1.starts_with("   growth"));
}

#[test]
fn sorting_and_filtering() {
    let keys: Vec<Key> = "2sssss".chars().map(Key::Char).collect();
    let all = [(1, 10.0), (2, 30.0), (3, 20.0)];
    let mut state = told(Played::Live, (80, 24), snapshot(suspects(&all)), &keys);
    assert!(line(&state, "by growth").0 < line(&state, "at_2").0);
    assert!(line(&state, "at_2").0 < line(&state, "at_3").0);
    assert!(line(&state, "at_3").0 < line(&state, "at_1").0);
    state.apply(Input::Key(Key::Char('r')));
    assert!(line(&state, "at_1").0 < line(&state, "at_2").0);
    for c in "/AT_3".chars() {
        state.apply(Input::Key(Key::Char(c)));
    }
    state.apply(Input::Key(Key::Enter));
    let shown = text(&state, (80, 24));
    assert!(shown.contains("at_3") && !shown.contains("at_1"), "{shown}");
    state.apply(Input::Key(Key::Escape));
    assert!(text(&state, (80, 24)).contains("at_1"));
}

#[test]
fn a_frozen_screen_waits() {
    let mut state = told(Played::Live, (80, 24), snapshot(nothing()), &[Key::Char('f')]);
    let before = text(&state, (80, 24));
    assert!(before.contains("FROZEN"));
    state.apply(at(300.0, growth()));
    assert_eq!(text(&state, (80, 24)), before);
    state.apply(Input::Key(Key::Char('f')));
    assert!(text(&state, (80, 24)).contains("2 Suspects (1)"));
}

#[test]
fn an_old_judgement_says_how_old_it_is() {
    let mut state = told(Played::Live, (100, 24), snapshot(growth()), &[]);
    state.apply(Input::Progress(Progress { events: 2_470_000, at_s: 201.0 }));
    let top = |state: &State| text(state, (100, 24)).lines().nth(1).unwrap().to_owned();
    assert!(top(&state).contains("| 3 m 21 s | 1,000 events/s |"), "{}", top(&state));
    state.apply(Input::Progress(Progress { events: 2_481_000, at_s: 212.0 }));
    let old = "| 3 m 32 s, judged at 3 m 20 s | 1,000 events/s |";
    assert!(top(&state).contains(old), "{}", top(&state));
    // A frozen screen stands still.
    state.apply(Input::Key(Key::Char('f')));
    state.apply(Input::Progress(Progress { events: 9_000_000, at_s: 290.0 }));
    assert!(top(&state).contains(old), "{}", top(&state));
    state.apply(Input::Key(Key::Char('f')));
    state.apply(at(300.0, growth()));
    assert!(top(&state).contains("| 5 m |"), "{}", top(&state));
}

#[test]
fn the_screen_is_drawn_ten_times_a_second_at_most_and_after_the_last_change() {
    let (mut redraws, mut drawn) = (Redraws::default(), Vec::new());
    // A thousand changes a second for ten seconds; nothing for another ten.
    for ms in 0..20_000 {
        let now = Duration::from_millis(ms);
        if ms < 10_000 {
            redraws.change();
        }
        assert!(redraws.rest(now) <= Duration::from_millis(100), "keys are heard soon");
        if redraws.is_due(now) {
            drawn.push(ms);
        }
    }
    assert!(drawn.windows(2).all(|two| two[1] - two[0] >= 100), "{drawn:?}");
    assert_eq!((drawn.len(), drawn[0]), (101, 0));
    assert_eq!(drawn.last(), Some(&10_000), "what changed at 9,999 ms is drawn, and nothing after");
}

#[test]
fn stacks_are_shown_by_module_too() {
    let size = (80, 24);
    let mut state = told(Played::Live, size, snapshot(growth()), &[Key::Char('4')]);
    assert!(text(&state, size).contains("handle__publish"));
    state.apply(Input::Key(Key::Char('b')));
    let screen = text(&state, size);
    assert!(screen.contains("Live bytes by module") && screen.contains("[mosquitto "), "{screen}");
    assert!(screen.contains("[libc.so.6") && !screen.contains("handle__publish"), "{screen}");
    // What comes next is shown so, too, and a way into it is one of modules.
    for key in [Key::Char('j'), Key::Char('j'), Key::Char('j'), Key::Enter] {
        state.apply(Input::Key(key));
    }
    state.apply(Input::Snapshot(Arc::new(snapshot(growth()))));
    let screen = text(&state, size);
    assert!(screen.contains("[libc.so.6  ") && !screen.contains("[mosquitto "), "{screen}");
    state.apply(Input::Key(Key::Char('b')));
    assert!(text(&state, size).contains("handle__publish"));
}

#[test]
fn what_is_asked_for() {
    let mut live = told(Played::Live, (80, 24), snapshot(growth()), &[]);
    let press = |state: &mut State, keys: &str| {
        let keys = keys.chars().map(|c| if c == '\n' { Key::Enter } else { Key::Char(c) });
        keys.map(|key| state.apply(Input::Key(key))).last().flatten()
    };
    let marked = Mark { text: "messages sent".to_owned(), count: Some(1000) };
    assert_eq!(press(&mut live, "m1,000 messages sent\n"), Some(Effect::Mark(marked)));
    assert_eq!(press(&mut live, "w"), Some(Effect::Write));
    assert_eq!(press(&mut live, "4"), Some(Effect::Stacks(true)));
    assert_eq!(press(&mut live, "2"), Some(Effect::Stacks(false)));
    let Some(Effect::Copy(stack)) = press(&mut live, "y") else { panic!("no stack") };
    assert!(stack.contains("packet__read_string [mosquitto]\n"), "{stack}");
    assert_eq!(press(&mut live, "q"), None, "it asks first");
    assert_eq!(press(&mut live, "x"), None);
    assert_eq!(press(&mut live, "ql"), Some(Effect::Leave(Leave::LetRun)));
    assert_eq!(press(&mut live, "qe"), Some(Effect::Leave(Leave::EndProgram)));
    let ended = Snapshot { phase: Phase::Ended, ..snapshot(growth()) };
    live.apply(Input::Snapshot(Arc::new(ended)));
    assert_eq!(press(&mut live, "q"), Some(Effect::Leave(Leave::Done)));
    let mut replay = told(Played::Replay, (80, 24), snapshot(growth()), &[]);
    assert_eq!(press(&mut replay, " "), Some(Effect::Pause(true)));
    assert_eq!(press(&mut replay, "m"), None);
    assert_eq!(press(&mut replay, "q"), Some(Effect::Leave(Leave::Done)));
}

#[test]
fn the_mouse_turns_opens_and_zooms() {
    let mut state = told(Played::Live, (80, 24), snapshot(suspects(&[(1, 1.0), (2, 1.0)])), &[]);
    state.apply(Input::Click(15, 0));
    assert_eq!(state.view(), View::Suspects);
    state.apply(Input::Click(5, 5));
    assert!(line(&state, ">").1.contains("at_2"));
    state.apply(Input::Click(5, 5));
    assert_eq!(state.view(), View::Detail);
    state.apply(Input::Key(Key::Char('4')));
    state.apply(Input::Click(70, 8));
    assert!(text(&state, (80, 24)).contains("): db__message_store"), "{}", text(&state, (80, 24)));
    state.apply(Input::Key(Key::Enter));
    assert!(line(&state, "[db__message_store").1.trim_end().len() >= 79);
    state.apply(Input::Key(Key::Escape));
    assert!(text(&state, (80, 24)).contains("packet__read_string"));
}
