//! When the screen is drawn: after something changed, and never sooner than a tenth of a second after the last time, so that
//! it is calm however much happens. The last change is always drawn. Time is given, not looked at.

use std::time::Duration;

/// How often the screen is drawn.
#[derive(Debug)]
pub struct Redraws {
    changed: bool,
    drawn: Option<Duration>,
}

impl Default for Redraws {
    /// Nothing was drawn yet, so that is to be done.
    fn default() -> Redraws {
        Redraws { changed: true, drawn: None }
    }
}

impl Redraws {
    /// The least time between two drawings, and the longest between two looks at what came.
    pub const LEAST: Duration = Duration::from_millis(100);

    /// Something is otherwise than it was drawn.
    pub fn change(&mut self) {
        self.changed = true;
    }

    /// Whether to draw now, so long after whatever moment times are counted from. Says yes to whoever then draws.
    pub fn is_due(&mut self, now: Duration) -> bool {
        let due = self.changed && self.wait(now).is_zero();
        if due {
            (self.changed, self.drawn) = (false, Some(now));
        }
        due
    }

    /// How long nothing has to be drawn, unless the user does something.
    pub fn rest(&self, now: Duration) -> Duration {
        if self.changed { self.wait(now) } else { Redraws::LEAST }
    }

    fn wait(&self, now: Duration) -> Duration {
        let drawn = self.drawn.map(|drawn| now.saturating_sub(drawn));
        drawn.map_or(Duration::ZERO, |since| Redraws::LEAST.saturating_sub(since))
    }
}
