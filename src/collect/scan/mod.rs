//! Whether live blocks are still referenced: a process is stopped, what in its memory may be a pointer is
//! copied, it goes on, and then the copy is walked from registers, stacks, globals and thread-local
//! storage. So a process stands still for as long as its memory takes to be read once, however many
//! blocks it has. It reads from outside and writes nothing; whose blocks they are is not its matter.
//!
//! ```text
//! stop (ptrace) -> maps -> copy -> go on
//!                            |
//! live blocks -> index ------+-> roots -> mark -> groups
//! ```
//!
//! The lower half knows nothing of live processes: `dump` makes the same copy of a core.

mod budget;
mod copy;
mod elf;
mod groups;
mod index;
mod maps;
mod mark;
mod pages;
mod roots;
mod stop;
mod words;

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

pub(crate) use copy::{Copied, targets};
pub(crate) use elf::thread_local_bytes;
pub(crate) use groups::{Group, groups};
pub(crate) use maps::{Is, Line, Mapping, is_of_memory, tell};
pub(crate) use stop::Thread;
pub(crate) use words::Words;

use budget::Budget;
use stop::{Stopped, stop};

/// How long all traced processes together may stand still, unless the user says otherwise.
pub const LIMIT: Duration = Duration::from_secs(1);

/// Whoever does not stop in this share of the time is left out, so that it costs the others no more.
const STOPPING: u32 = 4;
/// Where a thread is in the middle of telling what it allocated or freed, its process goes on for a moment,
/// again and again for this share of the time.
const WAITING: u32 = 4;
const MOMENT: Duration = Duration::from_micros(200);
/// Copies that wait to be walked take no more memory than this, so that many processes need no more than
/// few. While they do, the next stands still, within its time.
const HELD: u64 = 1 << 30;

/// A process to be scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) pid: u32,
    /// Whether it is our child, whose end others wait for.
    pub(super) is_child: bool,
}

/// What a scan comes to, in this order.
pub(super) enum Step {
    /// All that can be scanned stand still, and nobody of them is busy.
    Still,
    /// One is copied and goes on, by its place among the subjects; or why it could not be.
    Done(usize, Result<Box<Copied>, String>),
}

/// Stops these processes together, copies them one by one, each going on as soon as it is copied. Once
/// all stand still and nobody is `busy`, by its place among them, `still` is called; who is so for too
/// long is not copied. Copies are given to `take` when all are made, or sooner, where they take too much memory.
/// Why one could not be copied is said in words.
pub(super) fn copy(
    subjects: &[Subject],
    limit: Duration,
    busy: &(dyn Fn(usize) -> bool + Sync),
    still: &(dyn Fn() + Sync),
    take: &mut dyn FnMut(Step),
) {
    let budget = Budget::new(HELD);
    let (mut still_told, mut left) = (false, vec![true; subjects.len()]);
    // The kernel lets go of what a thread traces as it ends, whatever came of it: also of a thread of the
    // target that sleeps in the kernel and would stop only later, when nobody is there to let it go on.
    std::thread::scope(|scope| {
        let (sender, steps) = std::sync::mpsc::channel();
        let of = &budget;
        scope.spawn(move || copy_here(subjects, limit, busy, still, of, &sender));
        // To walk takes a processor that the target may wait for: what need not be done before all run again is not.
        let mut waiting = VecDeque::new();
        let mut tell = |step: Step| {
            let held = match &step {
                Step::Done(_, Ok(copied)) => copied.held(),
                _ => 0,
            };
            take(step);
            budget.give_back(held);
        };
        for step in steps {
            match step {
                Step::Still => {
                    still_told = true;
                    tell(step);
                }
                Step::Done(at, _) => {
                    left[at] = false;
                    waiting.push_back(step);
                }
            }
            while budget.is_full()
                && let Some(first) = waiting.pop_front()
            {
                tell(first);
            }
        }
        waiting.into_iter().for_each(tell);
    });
    if !still_told {
        take(Step::Still);
    }
    for at in (0..subjects.len()).filter(|at| left[*at]) {
        take(Step::Done(at, Err(String::from("the scan failed within unfreed"))));
    }
}

fn copy_here(
    subjects: &[Subject],
    limit: Duration,
    busy: &dyn Fn(usize) -> bool,
    still: &dyn Fn(),
    budget: &Budget,
    sender: &Sender<Step>,
) {
    let began = Instant::now();
    let deadline = began + limit;
    let mut stopped: Vec<Result<Stopped, String>> =
        subjects.iter().map(|subject| Ok(Stopped::new(*subject))).collect();
    stop(&mut stopped, began + limit / STOPPING);
    loop {
        let busy: Vec<usize> =
            (0..stopped.len()).filter(|n| stopped[*n].is_ok() && busy(*n)).collect();
        if busy.is_empty() {
            break;
        }
        if began.elapsed() >= limit / STOPPING + limit / WAITING {
            for n in busy {
                stopped[n] = Err(String::from(
                    "a thread was in the middle of an allocation all the time: what it holds would seem lost",
                ));
            }
            break;
        }
        for n in busy {
            if let Ok(stopped) = &mut stopped[n] {
                stopped.go_on();
            }
        }
        std::thread::sleep(MOMENT);
        stop(&mut stopped, deadline.min(Instant::now() + limit / STOPPING));
    }
    still();
    // Nobody takes them any more only where the caller has failed.
    let _ = sender.send(Step::Still);
    for (at, stopped) in stopped.into_iter().enumerate() {
        let copied = stopped.and_then(|of| {
            if !budget.has_room(deadline) {
                return Err(String::from(
                    "the copies of the processes before it took all the memory that unfreed allows itself for \
                     them, until the time was over: allow it more (--scan-limit)",
                ));
            }
            copy::copy(of, deadline).map(Box::new)
        });
        if let Ok(copied) = &copied {
            budget.take(copied.held());
        }
        let _ = sender.send(Step::Done(at, copied));
    }
}

/// What to say when the time is over.
fn out_of_time() -> String {
    String::from(
        "the time that the process may stand still was over before its memory was read: allow it more \
         (--scan-limit)",
    )
}
