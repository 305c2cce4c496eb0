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

use std::time::{Duration, Instant};

pub(super) use copy::Copied;
pub(super) use groups::{Group, groups};

use stop::Stopped;

/// How long all traced processes together may stand still, unless the user says otherwise.
pub const LIMIT: Duration = Duration::from_secs(1);

/// Where a thread is in the middle of telling what it allocated or freed, its process goes on for a moment,
/// again and again for this share of the time.
const WAITING: u32 = 4;
const MOMENT: Duration = Duration::from_micros(200);

/// A process to be scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) pid: u32,
    /// Whether it is our child, whose end others wait for.
    pub(super) is_child: bool,
}

/// Stops these processes together, copies them one by one, each going on as soon as it is copied. Once
/// all stand still and nobody is `busy`, by its place among them, `still` is called; who is so for too
/// long is not copied. Why one could not be copied is said in words.
pub(super) fn copy(
    subjects: &[Subject],
    limit: Duration,
    busy: &(dyn Fn(usize) -> bool + Sync),
    still: &(dyn Fn() + Sync),
) -> Vec<Result<Copied, String>> {
    // The kernel lets go of what a thread traces as it ends, whatever came of it: also of a thread of the
    // target that sleeps in the kernel and would stop only later, when nobody is there to let it go on.
    let copied = std::thread::scope(|scope| {
        scope.spawn(|| copy_here(subjects, limit, busy, still)).join().ok()
    });
    copied.unwrap_or_else(|| {
        subjects.iter().map(|_| Err(String::from("the scan failed within unfreed"))).collect()
    })
}

fn copy_here(
    subjects: &[Subject],
    limit: Duration,
    busy: &dyn Fn(usize) -> bool,
    still: &dyn Fn(),
) -> Vec<Result<Copied, String>> {
    let began = Instant::now();
    let deadline = began + limit;
    let mut stopped: Vec<Result<Stopped, String>> =
        subjects.iter().map(|subject| Stopped::stop(*subject, deadline)).collect();
    loop {
        let busy: Vec<usize> =
            (0..stopped.len()).filter(|n| stopped[*n].is_ok() && busy(*n)).collect();
        if busy.is_empty() {
            break;
        }
        if began.elapsed() >= limit / WAITING {
            for n in busy {
                stopped[n] = Err(String::from(
                    "a thread was in the middle of an allocation all the time: what it holds would seem lost",
                ));
            }
            break;
        }
        for n in &busy {
            if let Ok(stopped) = &mut stopped[*n] {
                stopped.go_on();
            }
        }
        std::thread::sleep(MOMENT);
        for n in busy {
            if let Ok(of) = &mut stopped[n]
                && let Err(why) = of.stop_again(deadline)
            {
                stopped[n] = Err(why);
            }
        }
    }
    still();
    stopped.into_iter().map(|stopped| stopped.and_then(|of| copy::copy(of, deadline))).collect()
}

/// What to say when the time is over.
fn out_of_time() -> String {
    String::from(
        "the time that the process may stand still was over before its memory was read: allow it more \
         (--scan-limit)",
    )
}
