//! The terminal, taken over and given back: at the end, on a panic, and when a signal asks to end. The standard streams lead
//! elsewhere meanwhile, since whatever the program or we write there would tear the screen.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::super::super::fail::{Failure, Told};
use super::{Asked, Heard, no_terminal, on_panic};

/// What is to be given back, while it is taken. A panic of any thread gives it back, too.
static TAKEN: Mutex<Option<Streams>> = Mutex::new(None);

/// The standard streams as they were.
struct Streams {
    terminal: File,
    before: [OwnedFd; 3],
}

/// The terminal is ours for as long as this lives.
pub struct Taken {
    terminal: File,
    asked: Asked,
}

impl Taken {
    /// Takes it; what is written to the standard streams goes to a file, or nowhere. Who `outlives` the terminal ignores its
    /// end already, and keeps doing so.
    pub fn take(output: Option<&Path>, outlives: bool) -> Result<Taken, Failure> {
        let doing = || "cannot use the terminal".to_owned();
        if !io::stdout().is_terminal() {
            return Err(no_terminal());
        }
        let output = match output {
            None => OpenOptions::new().write(true).open("/dev/null").told(doing)?,
            Some(path) => File::create(path).told(|| format!("cannot write {}", path.display()))?,
        };
        let input = File::open("/dev/null").told(doing)?;
        let asked = Asked::default();
        let hangup = (!outlives).then_some(SIGHUP);
        for signal in [SIGTERM, SIGINT, SIGQUIT].into_iter().chain(hangup) {
            signal_hook::flag::register(signal, asked.0.clone()).told(doing)?;
        }
        let duplicate = |fd: &dyn AsFd| fd.as_fd().try_clone_to_owned();
        let before = [
            duplicate(&io::stdin()).told(doing)?,
            duplicate(&io::stdout()).told(doing)?,
            duplicate(&io::stderr()).told(doing)?,
        ];
        let terminal = File::from(duplicate(&io::stdout()).told(doing)?);
        let ours = terminal.try_clone().told(doing)?;
        on_panic(give_back);
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Streams { terminal, before });
        let taken = Taken { terminal: ours, asked };
        dup2_stdin(&input).told(doing)?;
        dup2_stdout(&output).told(doing)?;
        dup2_stderr(&output).told(doing)?;
        enable_raw_mode().told(doing)?;
        execute!(&taken.terminal, EnterAlternateScreen, EnableMouseCapture).told(doing)?;
        Ok(taken)
    }

    /// Whether a signal asked to end, while nobody else takes signals.
    pub fn asked_to_end(&self) -> Asked {
        self.asked.clone()
    }

    /// What to draw on.
    pub fn window(&self) -> io::Result<Window> {
        let backend = CrosstermBackend::new(self.terminal.try_clone()?);
        Ok(Window { terminal: Terminal::new(backend)?, tty: self.terminal.try_clone()? })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Once: who comes second finds nothing to do. Nothing can be done about a terminal that takes nothing.
fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Streams { mut terminal, before: [input, output, errors] }) = taken else { return };
    let _ = execute!(terminal, DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = terminal.flush();
    let _ = disable_raw_mode();
    let _ = dup2_stdin(&input);
    let _ = dup2_stdout(&output);
    let _ = dup2_stderr(&errors);
}

/// The terminal, to draw on and to listen to.
pub struct Window {
    /// To draw on.
    pub terminal: Terminal<CrosstermBackend<File>>,
    tty: File,
}

impl Window {
    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        size()
    }

    /// Waits for a key, or so long. The terminal's end is seen here: whoever reads keys would ask for ever.
    pub fn hear(&self, pause: Duration) -> io::Result<Heard> {
        let mut fds = [PollFd::new(&self.tty, PollFlags::IN)];
        let pause = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        match poll(&mut fds, Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        Ok(if gone { Heard::Gone } else { Heard::There })
    }

    /// Has the terminal keep a text, as if it had been copied there.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self.tty, CopyToClipboard::to_clipboard_from(text))
    }
}
