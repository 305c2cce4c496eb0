//! What the dashboard is told, and what it asks for.

use std::sync::Arc;

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::{Progress, Snapshot};
use crate::event::Mark;

/// What the dashboard is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A key.
    Key(Key),
    /// The mouse was clicked in this column and row, counting from 0.
    Click(u16, u16),
    /// The mouse's wheel was turned so many lines, down where positive.
    Wheel(isize),
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// What is known now.
    Snapshot(Arc<Snapshot>),
    /// The trace has gone on since that was judged.
    Progress(Progress),
    /// Something to tell the user.
    Notice(String),
}

/// A key, as far as any means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its name")]
pub enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
}

/// What is to be done besides drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the dashboard.
    Leave(Leave),
    /// Put a mark into the running trace.
    Mark(Mark),
    /// Write the case of what was recorded, or while there is none the report of this moment.
    Write,
    /// Put this text where the terminal keeps what was copied.
    Copy(String),
    /// Hold the replay, or let it go on.
    Pause(bool),
    /// Whether stacks are to be collected with each snapshot.
    Stacks(bool),
}

/// What becomes of a program that still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// None does.
    Done,
    /// It is asked to end.
    EndProgram,
    /// It runs on, unwatched.
    LetRun,
}

impl Input {
    /// What an event of the terminal means; `None` for what means nothing.
    pub fn of(event: &Event) -> Option<Input> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map(Input::Key),
            Event::Mouse(mouse) => mouse_of(mouse),
            Event::Resize(columns, rows) => Some(Input::Resize(*columns, *rows)),
            _ => None,
        }
    }
}

fn key_of(key: &KeyEvent) -> Option<Key> {
    Some(match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Ctrl(c),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        _ => return None,
    })
}

fn mouse_of(mouse: &MouseEvent) -> Option<Input> {
    Some(match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Input::Click(mouse.column, mouse.row),
        MouseEventKind::ScrollDown => Input::Wheel(3),
        MouseEventKind::ScrollUp => Input::Wheel(-3),
        _ => return None,
    })
}
