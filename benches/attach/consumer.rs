//! How many events a second unfreed takes on one processor: it is stopped, the program fills the ring with what fits
//! there without loss, and then its processor time is read until it has taken them all.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::pairs::{EVENTS, Pairs, middle};
use crate::tracer::Tracer;

/// A pair is 48 and 32 bytes in a ring of 16 MiB, which takes no more allocations where 7/8 are full.
const BATCHES: u64 = 14;
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 6;
/// Filled so often in each round.
const FILLS: u32 = 10;

pub fn measure(program: &Path, directory: &Path, rounds: usize) {
    println!(
        "| stacks | what is done with the events | ns an event | million events a second on one processor |"
    );
    println!("|---|---|---|---|");
    let verbs: [(&str, &[&str], &[&str]); 2] = [
        ("judged", &["attach", "--json", "--output"], &[]),
        ("written to a trace", &["record", "-o"], &["--attach"]),
    ];
    for (stacks, arguments) in
        [("one", &["16"][..]), ("1,024, 50,000 blocks live", &["16", "sites"])]
    {
        let mut taken = [vec![], vec![]];
        for _ in 0..rounds {
            for ((_, verb, before), taken) in verbs.iter().zip(&mut taken) {
                let mut pairs = Pairs::start(program, arguments);
                pairs.next();
                let file = directory.join("consumed");
                let pid = pairs.pid();
                let unfreed = Tracer::unfreed(verb, &file, &[*before, &[&pid]].concat());
                // It knows the stacks and blocks afterwards.
                for _ in 0..2 * BATCHES {
                    pairs.next();
                }
                let all = (0..FILLS).map(|_| a_ring(&unfreed, &mut pairs));
                taken.push(middle(&mut all.collect::<Vec<f64>>()));
                drop(unfreed);
                let bytes = std::fs::read(&file).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                assert!(
                    verb[0] == "record" || text.contains("\"events\": 0"),
                    "something was lost"
                );
            }
        }
        for ((what, ..), taken) in verbs.iter().zip(&mut taken) {
            let each = middle(taken);
            println!("| {stacks} | {what} | {each:.0} | {:.1} |", 1e3 / each);
        }
    }
}

/// Nanoseconds that an event of a full ring takes.
fn a_ring(unfreed: &Tracer, pairs: &mut Pairs) -> f64 {
    settle(unfreed);
    let (before, began) = (unfreed.processor_time(), Instant::now());
    sleep(10 * LOOK);
    let idle = (unfreed.processor_time() - before) / began.elapsed().as_secs_f64();
    unfreed.signal("STOP");
    for _ in 0..BATCHES {
        pairs.next();
    }
    let (before, began) = (unfreed.processor_time(), Instant::now());
    unfreed.signal("CONT");
    settle(unfreed);
    let looking = idle * (LOOKS * LOOK).as_secs_f64().min(began.elapsed().as_secs_f64());
    (unfreed.processor_time() - before - looking) / (BATCHES * EVENTS) as f64 * 1e9
}

/// Waits until it sleeps whenever it is looked at: it looks at the ring every millisecond then.
fn settle(unfreed: &Tracer) {
    let mut asleep = 0;
    while asleep < LOOKS {
        sleep(LOOK);
        asleep = if unfreed.is_asleep() { asleep + 1 } else { 0 };
    }
}
