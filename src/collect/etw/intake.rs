//! Where sessions' deliveries come in: a few at a time while they run, and the rest of them as they are stopped. Neither goes on
//! without an end, whatever the sessions do.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many deliveries wait at most: beyond, the session itself loses events, and counts them.
pub const WAITING: usize = 64;

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What stopping a session came to: the events and buffers that it lost, or Windows' number for why it runs on.
pub type Stopped = Result<(u32, u32), u32>;

/// Where deliveries come in.
#[derive(Debug)]
pub struct Intake<T>(pub Receiver<T>);

/// What stopped sessions came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Each session, as far as it was found out.
    pub stopped: Vec<Stopped>,
    /// Whether they delivered all that they held back.
    pub is_whole: bool,
}

impl<T> Intake<T> {
    /// Takes what has come, or waits a little for it; no more than may wait, so that somebody who takes slowly still gets to
    /// whatever else there is to do. Whether more can come.
    pub fn take(&self, take: &mut dyn FnMut(T)) -> bool {
        match self.0.recv_timeout(PAUSE) {
            Ok(one) => take(one),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        for _ in 1..WAITING {
            match self.0.try_recv() {
                Ok(one) => take(one),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Takes what sessions still deliver while `stopping` stops them: until all have ended, or one cannot be stopped, or none
    /// delivers anything for as long as `patience`.
    ///
    /// # Errors
    /// That of `take`.
    pub fn rest<E>(
        &self,
        stopping: JoinHandle<Vec<Stopped>>,
        patience: Duration,
        take: &mut dyn FnMut(T) -> Result<(), E>,
    ) -> Result<Rest, E> {
        let (mut stopping, mut stopped) = (Some(stopping), Vec::new());
        let mut last = Instant::now();
        loop {
            let is_whole = match self.0.recv_timeout(PAUSE.min(patience)) {
                Ok(one) => {
                    take(one)?;
                    last = Instant::now();
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            // All listeners have ended, so that stopping does soon.
            if let Some(thread) = stopping.take_if(|thread| is_whole || thread.is_finished()) {
                stopped = thread.join().unwrap_or_default();
            }
            let runs_on = stopped.iter().any(Result::is_err);
            if is_whole || runs_on || last.elapsed() >= patience {
                return Ok(Rest { stopped, is_whole });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::convert::Infallible;
    use std::sync::mpsc::{channel, sync_channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn whoever_delivers_without_a_pause_holds_nobody_up() {
        let (to, from) = sync_channel(WAITING);
        let deliverer = std::thread::spawn(move || while to.send(7).is_ok() {});
        let intake = Intake(from);
        for _ in 0..10 {
            let mut taken = 0;
            assert!(intake.take(&mut |_| taken += 1));
            assert!((1..=WAITING).contains(&taken), "{taken}");
        }
        drop(intake);
        deliverer.join().unwrap();
    }

    #[test]
    fn nothing_more_comes_once_all_have_ended() {
        let (to, from) = channel();
        to.send(1).unwrap();
        drop(to);
        let intake = Intake(from);
        let mut taken = Vec::new();
        assert!(!intake.take(&mut |one| taken.push(one)));
        assert_eq!(taken, [1]);
    }

    #[test]
    fn the_rest_is_what_comes_until_all_have_ended() {
        let (to, from) = sync_channel(1);
        // A session is stopped once its rest is taken.
        let stopping = std::thread::spawn(move || {
            (0..100).for_each(|one| to.send(one).unwrap());
            vec![Ok((3, 0)), Ok((0, 2))]
        });
        let mut taken = Vec::new();
        let rest = Intake(from).rest(stopping, LONG, &mut |one| {
            taken.push(one);
            Ok::<(), Infallible>(())
        });
        assert_eq!(rest, Ok(Rest { stopped: vec![Ok((3, 0)), Ok((0, 2))], is_whole: true }));
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_session_that_cannot_be_stopped_and_delivers_on_is_left() {
        let (to, from) = sync_channel(1);
        let deliverer = std::thread::spawn(move || while to.send(7).is_ok() {});
        let stopping = std::thread::spawn(|| vec![Err(5), Ok((0, 0))]);
        let rest = Intake(from).rest(stopping, LONG, &mut |_| Ok::<(), Infallible>(()));
        assert_eq!(rest, Ok(Rest { stopped: vec![Err(5), Ok((0, 0))], is_whole: false }));
        deliverer.join().unwrap();
    }

    #[test]
    fn one_that_hangs_is_not_waited_for() {
        let (to, from) = channel::<u8>();
        let (go, wait) = channel::<()>();
        let stopping = std::thread::spawn(move || {
            let _ = wait.recv();
            Vec::new()
        });
        let rest = Intake(from).rest(stopping, Duration::ZERO, &mut |_| Ok::<(), Infallible>(()));
        assert_eq!(rest, Ok(Rest { stopped: Vec::new(), is_whole: false }));
        drop((to, go));
    }

    #[test]
    fn what_cannot_be_passed_on_ends_it() {
        let (to, from) = channel();
        to.send(1).unwrap();
        let stopping = std::thread::spawn(Vec::new);
        let rest = Intake(from).rest(stopping, LONG, &mut |_| Err("full"));
        assert_eq!(rest, Err("full"));
    }
}
