//! What the dashboard knows and how it changes: by a new snapshot, a key, the mouse, the window's size. Nothing else
//! changes it.

use std::sync::Arc;

use super::changes::Changes;
use super::flame::{Node, Way};
use super::snapshot::{Shown, SuspectKey};
use super::table::Table;
use super::{Effect, Input, Key, Leave, Phase, Progress, Snapshot};
use crate::event::Mark;
use crate::report::model::Suspect;
use crate::report::text::safe::escape;

/// Rows that are the same in every view: titles and the trace's state above, keys or a message below.
pub(super) const ABOVE: u16 = 2;
pub(super) const BELOW: u16 = 1;
/// Rows of the views of suspects and of stacks that are not rows of the table or of the graph.
pub(super) const TABLE_HEAD: u16 = 2;
pub(super) const FLAME_HEAD: u16 = 2;
/// Longest text that can be entered.
const LONGEST: usize = 200;

/// What is on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its name")]
pub enum View {
    #[default]
    Overview,
    Suspects,
    Detail,
    Stacks,
}

impl View {
    /// All, as the keys 1 to 4 choose them.
    pub(super) const ALL: [View; 4] = [View::Overview, View::Suspects, View::Detail, View::Stacks];

    fn beside(self, by: usize) -> View {
        View::ALL[(self as usize + by) % View::ALL.len()]
    }
}

/// Where the events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// From a program that runs.
    Live,
    /// From a recording.
    Replay,
}

/// What does not change while the dashboard is shown.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is watched, as the user named it.
    pub title: String,
    /// Where the events come from.
    pub played: Played,
    /// Where a recording is being written.
    pub recording: Option<String>,
    /// Whether there may be colour.
    pub color: bool,
}

/// What the user is being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// A filter for the table, in the making.
    Filter(String),
    /// The text of a mark, in the making.
    Mark(String),
    /// What is to become of the program.
    Leave,
}

/// Everything that a screen depends on.
#[derive(Debug)]
pub struct State {
    pub(super) setting: Setting,
    pub(super) view: View,
    /// What is shown; nothing before the first came.
    pub(super) shown: Option<Shown>,
    /// How far the trace has gone on since that was judged.
    progress: Option<Progress>,
    /// What came while the screen was frozen.
    waiting: Option<Arc<Snapshot>>,
    pub(super) frozen: bool,
    pub(super) paused: bool,
    pub(super) help: bool,
    pub(super) table: Table,
    pub(super) changes: Changes,
    pub(super) tree: Node,
    pub(super) way: Way,
    /// Whether the tree is of modules.
    pub(super) by_module: bool,
    /// The first line shown of the overview, and of the detail.
    pub(super) top: usize,
    pub(super) prompt: Option<Prompt>,
    pub(super) notice: Option<String>,
    pub(super) size: (u16, u16),
}

impl State {
    /// Before anything came.
    pub fn new(setting: Setting, columns: u16, rows: u16) -> State {
        State {
            setting,
            view: View::Overview,
            shown: None,
            progress: None,
            waiting: None,
            frozen: false,
            paused: false,
            help: false,
            table: Table::default(),
            changes: Changes::default(),
            tree: Node::default(),
            way: Way::default(),
            by_module: false,
            top: 0,
            prompt: None,
            notice: None,
            size: (columns, rows),
        }
    }

    /// What is on the screen.
    pub fn view(&self) -> View {
        self.view
    }

    /// Takes the next input; says what is to be done besides drawing.
    pub fn apply(&mut self, input: Input) -> Option<Effect> {
        match input {
            Input::Snapshot(snapshot) => {
                if self.frozen {
                    self.waiting = Some(snapshot);
                } else {
                    self.show(snapshot);
                }
                None
            }
            Input::Progress(progress) => {
                if !self.frozen {
                    self.changes.go_on(progress);
                    self.progress = Some(progress);
                }
                None
            }
            Input::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.rearrange();
                None
            }
            Input::Notice(text) => {
                self.notice = Some(text);
                None
            }
            Input::Wheel(by) => {
                self.step(by);
                None
            }
            Input::Click(column, row) => self.click(column, row),
            Input::Key(key) => self.key(key),
        }
    }

    /// Rows of a view's own.
    pub(super) fn height(&self) -> usize {
        self.size.1.saturating_sub(ABOVE + BELOW).into()
    }

    fn table_height(&self) -> usize {
        self.height().saturating_sub(TABLE_HEAD.into())
    }

    fn flame_height(&self) -> usize {
        self.height().saturating_sub(FLAME_HEAD.into())
    }

    /// The selected suspect, and its number in the report.
    pub(super) fn selected(&self) -> Option<(usize, &Suspect)> {
        self.shown.as_ref()?.find(self.table.selected?)
    }

    /// Seconds from the first event to the latest that is known of.
    pub(super) fn now_s(&self) -> f64 {
        let judged = self.shown.as_ref().map_or(0.0, |shown| shown.at_s);
        self.progress.map_or(judged, |progress| judged.max(progress.at_s))
    }

    fn show(&mut self, snapshot: Arc<Snapshot>) {
        let shown = Shown::new(snapshot);
        self.changes.note(&shown);
        if let Some(flame) = &shown.flame {
            self.tree = Node::of(flame, self.by_module);
        }
        let height = self.table_height();
        self.table.arrange(self.shown.as_ref().unwrap_or(&shown), &shown, height);
        self.shown = Some(shown);
    }

    /// After the filter, the order or the size changed.
    fn rearrange(&mut self) {
        let height = self.table_height();
        if let Some(shown) = &self.shown {
            self.table.arrange(shown, shown, height);
        }
    }

    fn key(&mut self, key: Key) -> Option<Effect> {
        self.notice = None;
        if let Some(prompt) = self.prompt.take() {
            return self.answer(prompt, key);
        }
        if key == Key::Ctrl('c') {
            return self.leave();
        }
        if self.help {
            self.help = false;
            return None;
        }
        match key {
            Key::Char('q') => return self.leave(),
            Key::Char('?') => self.help = true,
            Key::Char(digit @ '1'..='4') => {
                return self.turn(View::ALL[digit as usize - '1' as usize]);
            }
            Key::Tab => return self.turn(self.view.beside(1)),
            Key::BackTab => return self.turn(self.view.beside(View::ALL.len() - 1)),
            Key::Char(' ') => return self.pause(),
            Key::Char('f') => self.freeze(!self.frozen),
            Key::Char('m') => match self.setting.played {
                Played::Live if self.is_running() => {
                    self.prompt = Some(Prompt::Mark(String::new()));
                }
                Played::Live => self.say("The program has ended: nothing can be marked any more."),
                Played::Replay => self.say("A recording takes no marks."),
            },
            Key::Char('w') => {
                self.say("Writing...");
                return Some(Effect::Write);
            }
            Key::Char('y') => return self.copy(),
            Key::Char('/') => {
                self.prompt = Some(Prompt::Filter(self.table.filter.clone()));
                return self.turn(View::Suspects);
            }
            Key::Char('s') => {
                self.table.next_column();
                self.rearrange();
            }
            Key::Char('r') => {
                self.table.reversed = !self.table.reversed;
                self.rearrange();
            }
            Key::Char('b') if self.view == View::Stacks => self.regroup(),
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp | Key::Ctrl('u' | 'b') => self.step(-(self.page())),
            Key::PageDown | Key::Ctrl('d' | 'f') => self.step(self.page()),
            Key::Home | Key::Char('g') => self.step(isize::MIN / 2),
            Key::End | Key::Char('G') => self.step(isize::MAX / 2),
            Key::Left | Key::Char('h') if self.view == View::Stacks => {
                self.way.aside(&self.tree, -1);
            }
            Key::Right | Key::Char('l') if self.view == View::Stacks => {
                self.way.aside(&self.tree, 1);
            }
            Key::Enter => match self.view {
                View::Suspects => return self.turn(View::Detail),
                View::Stacks => self.way.zoom(&self.tree),
                _ => {}
            },
            Key::Escape | Key::Backspace => return self.back(),
            _ => {}
        }
        None
    }

    /// Shows modules instead of frames, or frames again.
    fn regroup(&mut self) {
        self.by_module = !self.by_module;
        self.way = Way::default();
        if let Some(flame) = self.shown.as_ref().and_then(|shown| shown.flame.as_ref()) {
            self.tree = Node::of(flame, self.by_module);
        }
    }

    /// One step back from whatever was looked at.
    fn back(&mut self) -> Option<Effect> {
        match self.view {
            View::Detail => return self.turn(View::Suspects),
            View::Stacks if self.way.out() => {}
            View::Suspects if !self.table.filter.is_empty() => {
                self.table.filter.clear();
                self.rearrange();
            }
            _ => {}
        }
        None
    }

    fn turn(&mut self, view: View) -> Option<Effect> {
        let (before, after) = (self.view == View::Stacks, view == View::Stacks);
        if view != self.view {
            self.top = 0;
        }
        self.view = view;
        (before != after).then_some(Effect::Stacks(after))
    }

    fn answer(&mut self, prompt: Prompt, key: Key) -> Option<Effect> {
        let edit = |mut text: String| {
            match key {
                Key::Char(c) if text.chars().count() < LONGEST => text.push(c),
                Key::Backspace => drop(text.pop()),
                _ => {}
            }
            text
        };
        match (prompt, key) {
            (Prompt::Leave, Key::Char('e')) => return Some(Effect::Leave(Leave::EndProgram)),
            (Prompt::Leave, Key::Char('l')) => return Some(Effect::Leave(Leave::LetRun)),
            (Prompt::Leave, _) => {}
            (Prompt::Filter(_), Key::Enter) => {}
            (Prompt::Filter(_), Key::Escape) => {
                self.table.filter.clear();
                self.rearrange();
            }
            (Prompt::Filter(text), _) => {
                let text = edit(text);
                self.table.filter = text.to_lowercase();
                self.prompt = Some(Prompt::Filter(text));
                self.rearrange();
            }
            (Prompt::Mark(text), Key::Enter) => return Some(Effect::Mark(mark(&text))),
            (Prompt::Mark(_), Key::Escape | Key::Ctrl('c')) => {}
            (Prompt::Mark(text), _) => self.prompt = Some(Prompt::Mark(edit(text))),
        }
        None
    }

    /// A program that runs is not to be left by mistake.
    fn leave(&mut self) -> Option<Effect> {
        if self.setting.played == Played::Live && self.is_running() {
            self.prompt = Some(Prompt::Leave);
            return None;
        }
        Some(Effect::Leave(Leave::Done))
    }

    /// The last snapshot says so, be it shown or not.
    pub(super) fn is_running(&self) -> bool {
        let last = self.waiting.as_deref().or(self.shown.as_deref());
        last.is_none_or(|snapshot| snapshot.phase == Phase::Running)
    }

    /// A recording can wait; a program does not, so its screen does.
    fn pause(&mut self) -> Option<Effect> {
        if self.setting.played == Played::Live {
            self.freeze(!self.frozen);
            return None;
        }
        self.paused = !self.paused;
        Some(Effect::Pause(self.paused))
    }

    fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
        if let Some(waiting) = self.waiting.take().filter(|_| !frozen) {
            self.show(waiting);
        }
    }

    fn copy(&mut self) -> Option<Effect> {
        let Some((_, suspect)) = self.selected() else {
            self.say("No suspect is selected whose stack could be copied.");
            return None;
        };
        let mut text = String::new();
        for frame in &suspect.stack {
            let place = crate::report::text::place(frame);
            let module = frame.module.as_deref().unwrap_or("?");
            // It will be pasted into a terminal, too.
            text.push_str(&format!("{} [{}]\n", escape(&place), escape(module)));
        }
        self.say("The stack was sent to the terminal's clipboard.");
        Some(Effect::Copy(text))
    }

    fn page(&self) -> isize {
        self.height().saturating_sub(TABLE_HEAD.into()).max(1) as isize
    }

    fn step(&mut self, by: isize) {
        let (table, flame) = (self.table_height(), self.flame_height());
        match self.view {
            View::Suspects => {
                if let Some(shown) = &self.shown {
                    self.table.step(shown, by, table);
                }
            }
            View::Stacks => {
                for _ in 0..by.unsigned_abs().min(flame) {
                    self.way.deeper(&self.tree, by > 0, flame);
                }
            }
            View::Overview | View::Detail => {
                let last = super::draw::lines(self).len().saturating_sub(self.height());
                self.top = self.top.saturating_add_signed(by).min(last);
            }
        }
    }

    fn click(&mut self, column: u16, row: u16) -> Option<Effect> {
        self.help = false;
        if row == 0 {
            let view = super::draw::title_at(self, column.into())?;
            return self.turn(view);
        }
        let line = usize::from(row.checked_sub(ABOVE)?);
        match self.view {
            View::Suspects => {
                let line = line.checked_sub(TABLE_HEAD.into())?;
                let shown = self.shown.as_ref()?;
                let at = self.table.top.saturating_add(line);
                let same = self.table.place(shown) == Some(at);
                if at < self.table.rows.len() {
                    self.table.select(shown, at);
                    // What is selected already opens.
                    return same.then(|| self.turn(View::Detail)).flatten();
                }
            }
            View::Stacks => {
                let line = line.checked_sub(FLAME_HEAD.into())?;
                self.way.click(&self.tree, self.size.0.into(), column.into(), line);
            }
            View::Overview | View::Detail => {}
        }
        None
    }

    fn say(&mut self, text: &str) {
        self.notice = Some(text.to_owned());
    }

    /// How the selected suspect differs from when the last mark was set.
    pub(super) fn since_mark(&self) -> Option<i64> {
        let (_, suspect) = self.selected()?;
        let before = self.changes.at_mark(SuspectKey::of(suspect))?;
        Some(suspect.live_bytes as i64 - before as i64)
    }
}

/// A text, with a count where it begins with one: `1000 messages sent`.
fn mark(text: &str) -> Mark {
    let text = text.trim();
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let digits: String = first.chars().filter(|c| *c != ',').collect();
    match digits.parse::<u64>() {
        Ok(count) => Mark { text: rest.trim().to_owned(), count: Some(count) },
        Err(_) => Mark { text: text.to_owned(), count: None },
    }
}
