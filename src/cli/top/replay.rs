//! A recording played again, as fast as is asked for. How fast changes nothing but the waiting.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use unfreed::event::{Event, Time};
use unfreed::read::Fault;

use super::super::fail::Failure;
use super::super::recording::Opened;
use super::feed::Feed;

/// How soon the user's wish is seen.
const LOOK: Duration = Duration::from_millis(20);

/// How fast to play.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(f64),
    /// As fast as it can be read.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        let wrong = || format!("{text:?} is no speed: write 1, 10 or max");
        if text == "max" {
            return Ok(Speed::Max);
        }
        let times: f64 = text.trim_end_matches('x').parse().map_err(|_| wrong())?;
        if times.is_finite() && times > 0.0 { Ok(Speed::Times(times)) } else { Err(wrong()) }
    }
}

/// What the user wants of the playing.
#[derive(Debug, Default)]
pub struct Flow {
    paused: AtomicBool,
    left: AtomicBool,
}

impl Flow {
    /// Holds it, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Ends it.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) && !self.is_left()
    }
}

/// Plays a recording to its end, or until it is left; gives what could not be read.
pub fn play(
    opened: &mut Opened<'_>,
    speed: Speed,
    flow: &Flow,
    feed: &mut Feed,
) -> Result<Vec<Fault>, Failure> {
    let mut pace = Pace { speed, flow, played: Duration::ZERO, began: None };
    opened.each(&mut |events| {
        let mut events = std::mem::take(events);
        match speed {
            Speed::Max => {
                pace.wait(Duration::ZERO);
                feed.send(events);
            }
            // A batch may be of minutes.
            Speed::Times(_) => {
                for event in events.drain(..) {
                    pace.until(&event);
                    feed.take(&event);
                    if flow.is_left() {
                        break;
                    }
                }
            }
        }
        !flow.is_left()
    })
}

/// When the next event is due.
struct Pace<'a> {
    speed: Speed,
    flow: &'a Flow,
    /// How long was waited so far, pauses apart.
    played: Duration,
    began: Option<Time>,
}

impl Pace<'_> {
    fn until(&mut self, event: &Event) {
        let Speed::Times(times) = self.speed else { return };
        let began = *self.began.get_or_insert(event.time);
        let at = Time(event.time.0.saturating_sub(began.0)).seconds() / times;
        let at = Duration::try_from_secs_f64(at).unwrap_or(Duration::MAX);
        let ahead = at.saturating_sub(self.played);
        // A wait of less is not worth a system call.
        if ahead >= LOOK || self.flow.is_paused() {
            self.wait(ahead);
        }
    }

    fn wait(&mut self, mut ahead: Duration) {
        while (self.flow.is_paused() || !ahead.is_zero()) && !self.flow.is_left() {
            let began = Instant::now();
            let paused = self.flow.is_paused();
            thread::sleep(if paused { LOOK } else { LOOK.min(ahead) });
            if !paused {
                self.played += began.elapsed();
                ahead = ahead.saturating_sub(began.elapsed());
            }
        }
    }
}
