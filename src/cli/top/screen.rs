//! The thread that shows: it takes keys and snapshots, draws at most ten times a second and only what changed, and does what
//! the dashboard asks for. A terminal that goes away ends it, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event;
use unfreed::dashboard::{Effect, Input, Leave, Redraws, Setting, State, draw};
use unfreed::event::Mark;

use super::super::watch::Control;
use super::folding::Command;
use super::replay::Flow;
use super::terminal::{Heard, Taken, Window};

/// What the thread works with.
pub struct Screen {
    /// What is shown.
    pub setting: Setting,
    /// The replay.
    pub flow: Arc<Flow>,
    /// What acts on the watching of a program; none of a recording.
    pub control: Option<Control>,
    /// To the thread that folds.
    pub commands: Sender<Command>,
    /// To this one.
    pub inputs: Sender<Input>,
    /// From others.
    pub input: Receiver<Input>,
}

impl Screen {
    /// Shows until the user leaves, the terminal goes away or somebody asks to end; gives the terminal back.
    pub fn run(self, taken: Taken, asked: &dyn Fn() -> bool) {
        // What cannot be shown is no reason to stop watching: a lost terminal is an end like any other.
        if let Err(error) = self.show(&taken, asked) {
            tracing::debug!("the terminal went away: {error}");
        }
        self.flow.leave();
        drop(taken);
    }

    fn show(&self, taken: &Taken, asked: &dyn Fn() -> bool) -> io::Result<()> {
        let mut window = taken.window()?;
        let size = window.size()?;
        let mut state = State::new(self.setting.clone(), size.0, size.1);
        let (began, mut redraws) = (Instant::now(), Redraws::default());
        while !asked() && !self.flow.is_left() {
            loop {
                match self.input.try_recv() {
                    Ok(input) => {
                        redraws.change();
                        state.apply(input);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if redraws.is_due(began.elapsed()) {
                window.terminal.draw(|frame| draw(&state, frame))?;
            }
            if window.hear(redraws.rest(began.elapsed()))? == Heard::Gone {
                return Ok(());
            }
            while event::poll(Duration::ZERO)? {
                let Some(input) = Input::of(&event::read()?) else { continue };
                redraws.change();
                if let Some(effect) = state.apply(input)
                    && self.does(effect, &mut window)?
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Does what is asked for; whether that was the last.
    fn does(&self, effect: Effect, window: &mut Window) -> io::Result<bool> {
        match effect {
            Effect::Leave(leave) => {
                if let Some(control) = &self.control {
                    match leave {
                        Leave::Done => {}
                        Leave::EndProgram => control.end_program()?,
                        Leave::LetRun => control.stop(),
                    }
                }
                return Ok(true);
            }
            Effect::Mark(mark) => self.mark(mark),
            Effect::Write => self.command(Command::Write),
            Effect::Copy(text) => window.copy(&text)?,
            Effect::Pause(paused) => self.flow.pause(paused),
            Effect::Stacks(wanted) => self.command(Command::Stacks(wanted)),
        }
        Ok(false)
    }

    fn command(&self, command: Command) {
        // Whoever folds is there for longer than we are.
        let _ = self.commands.send(command);
    }

    /// It may take a while.
    fn mark(&self, mark: Mark) {
        let Some(control) = self.control.clone() else { return };
        let inputs = self.inputs.clone();
        let sending = thread::Builder::new().name("mark".to_owned()).spawn(move || {
            let told = match control.mark(&mark) {
                Ok(()) => "Marked.".to_owned(),
                Err(error) => error,
            };
            let _ = inputs.send(Input::Notice(told));
        });
        // A system that has no thread left for it is no reason to end the screen.
        if let Err(error) = sending {
            let _ = self.inputs.send(Input::Notice(format!("Not marked: {error}.")));
        }
    }
}
