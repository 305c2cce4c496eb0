//! Whom a tool names in one run: functions of the program. And the rows of the table, one for each way of asking a tool.

use std::collections::BTreeSet;

/// One way of asking a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// As the table of all calls it.
    pub name: &'static str,
    /// As the table of programs does, where it is in there.
    pub column: Option<&'static str>,
}

impl Row {
    /// A row of both tables.
    pub const fn of(name: &'static str, column: &'static str) -> Row {
        Row { name, column: Some(column) }
    }

    /// A row of the table of all only.
    pub const fn beside(name: &'static str) -> Row {
        Row { name, column: None }
    }
}

/// What one run gave.
pub type Rows = Vec<(Row, Named)>;

/// The functions that a tool names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(BTreeSet<String>);

impl Named {
    /// From stacks, each innermost function first: of each the innermost of the program's own functions.
    pub fn of_stacks<S: AsRef<str>>(stacks: impl IntoIterator<Item = Vec<S>>) -> Named {
        let own = |stack: Vec<S>| {
            let own = stack.iter().map(AsRef::as_ref).find(|function| is_own(function));
            own.unwrap_or("elsewhere").to_owned()
        };
        Named(stacks.into_iter().map(own).collect())
    }

    /// These and others.
    pub fn and(mut self, other: Named) -> Named {
        self.0.extend(other.0);
        self
    }

    /// Those that leak.
    pub fn guilty(&self) -> usize {
        self.0.iter().filter(|name| leaks(name)).count()
    }

    /// Those that do not.
    pub fn innocent(&self) -> usize {
        self.0.len() - self.guilty()
    }
}

/// Whether a function's label says that what it allocates stays.
pub fn leaks(function: &str) -> bool {
    function.starts_with("leaks_")
}

fn is_own(function: &str) -> bool {
    leaks(function) || function.starts_with("keeps_") || function == "main"
}
