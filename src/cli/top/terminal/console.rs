//! A console of Windows, taken over and given back: at the end, and on a panic. Old ones that know no escape sequences are drawn
//! on through the system's functions, which `crossterm` knows. Ctrl-C is a key like any other meanwhile.

use std::io::{self, IsTerminal, Stdout, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture, poll};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};

use super::super::super::fail::{Failure, Told};
use super::{Asked, Heard, no_terminal, on_panic};

/// Whether it is to be given back. A panic of any thread gives it back, too.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The console is ours for as long as this lives.
pub struct Taken {
    asked: Asked,
}

impl Taken {
    /// Takes it. There are no programs here whose output or end it would have to mind.
    pub fn take(_: Option<&Path>, _: bool) -> Result<Taken, Failure> {
        if !io::stdout().is_terminal() {
            return Err(no_terminal());
        }
        let doing = || "cannot use the console".to_owned();
        // Before anything is changed: some hosts of consoles have none behind them.
        size().told(doing)?;
        on_panic(give_back);
        TAKEN.store(true, Ordering::Relaxed);
        let taken = Taken { asked: Asked::default() };
        enable_raw_mode().told(doing)?;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture).told(doing)?;
        Ok(taken)
    }

    /// Whether somebody asked to end in another way than by a key.
    pub fn asked_to_end(&self) -> Asked {
        self.asked.clone()
    }

    /// What to draw on.
    pub fn window(&self) -> io::Result<Window> {
        Ok(Window { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Once: who comes second finds nothing to do. Nothing can be done about a console that takes nothing.
fn give_back() {
    if TAKEN.swap(false, Ordering::Relaxed) {
        let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
        let _ = disable_raw_mode();
    }
}

/// The console, to draw on and to listen to.
pub struct Window {
    /// To draw on.
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Window {
    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        size()
    }

    /// Waits for a key, or so long. A console that goes away is an error, or takes us with it.
    pub fn hear(&self, pause: Duration) -> io::Result<Heard> {
        poll(pause).map(|_| Heard::There)
    }

    /// Has the terminal keep a text, as if it had been copied there. An old console cannot.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        match execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text)) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            copied => copied,
        }
    }
}
