//! The dashboard's few looks. The terminal's own colours, so that they fit light and dark ones; without colour, what is bold
//! or reversed still stands out, and words say the rest.

use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    color: bool,
}

impl Theme {
    pub(super) fn new(color: bool) -> Theme {
        Theme { color }
    }

    fn ink(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is selected.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn alarm(self) -> Style {
        self.ink(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn warning(self) -> Style {
        self.ink(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(super) fn curve(self) -> Style {
        self.ink(Color::Cyan)
    }

    /// Neighbours in a graph are told apart by their brackets; colour makes it easier.
    pub(super) fn depth(self, depth: usize) -> Style {
        self.ink([Color::Red, Color::Yellow, Color::Magenta][depth % 3])
    }
}
