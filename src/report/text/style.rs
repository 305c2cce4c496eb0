//! How a text is to look: width, colour, how much of it. The caller finds these out (a terminal's
//! width, `NO_COLOR`); nothing here asks the environment.

/// The narrowest text that is laid out; narrower windows get this width.
pub const LEAST_WIDTH: usize = 40;

/// The width where no terminal says otherwise.
pub const USUAL_WIDTH: usize = 80;

/// How a text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns; no line is wider.
    pub width: usize,
    /// Whether to colour.
    pub color: bool,
    /// How much to say.
    pub detail: Detail,
}

impl Default for Style {
    fn default() -> Self {
        Style { width: USUAL_WIDTH, color: false, detail: Detail::Normal }
    }
}

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Conclusions and what to do.
    Brief,
    /// With the evidence in two sentences and the stack.
    #[default]
    Normal,
    /// With every number, reason, stack and file.
    Full,
}
