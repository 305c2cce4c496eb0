//! Debian's mosquitto under load, on a free port of the loopback: as many messages as it takes, and
//! how long a message is on its way at a steady rate.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::{in_turns, median};
use crate::memory::{Memory, session};
use crate::options::Options;
use crate::support::broker::Broker;
use crate::support::mqtt::{Publisher, Qos, Subscriber};
use crate::support::procfs;
use crate::table::{Table, none, size};
use crate::tracer::{Tracer, Tracers};

/// Many short turns: where the clients run, on the broker's processor or on another, decides more
/// than any tracer does, and stays as it is for as long as a turn lasts.
const TURNS: usize = 3;
/// Messages of the first load, each acknowledged to its publisher and handed to a subscriber.
const MESSAGES: u64 = 30_000;
/// Messages of the second load, one every so often.
const STEADY: u64 = 6_000;
const EVERY: Duration = Duration::from_micros(250);

const TOPICS: [&str; 8] = [
    "load/a/1", "load/a/2", "load/b/1", "load/b/2", "load/c/1", "load/c/2", "load/d/1", "load/d/2",
];
const FILTER: &str = "load/#";
const PAYLOAD: usize = 200;

/// What one broker did.
#[derive(Clone, Copy, Debug)]
struct Load {
    per_second: f64,
    /// Processor microseconds of the broker per message of the first load.
    processor: f64,
    /// Microseconds from publisher to subscriber.
    median: f64,
    p99: f64,
    resident: f64,
    pages: f64,
}

/// Measures, and gives the section.
pub fn section(options: &Options, tracers: &Tracers) -> String {
    let title = "### mosquitto under load\n";
    if tracers.mosquitto.is_none() {
        return format!("{title}\nNot measured: no mosquitto (`apt install mosquitto`).\n");
    }
    let all = [Tracer::Bare, Tracer::Unfreed, Tracer::Sampling, Tracer::Heaptrack];
    let present = tracers.present(&all);
    let loads =
        in_turns(TURNS * options.rounds(), &present, |tracer| load(tracer, tracers, options));
    let mut table = Table::new(&[
        "under",
        "messages/s",
        "× bare",
        "broker's processor per message",
        "added",
        "on the way, median",
        "p99",
        "p99 of the quietest turn",
        "broker resident",
        "session's pages in use",
    ]);
    let figure = |index: usize, figure: fn(&Load) -> f64| median(&loads[index], figure);
    for (index, tracer) in present.iter().enumerate() {
        let rate = figure(index, |load| load.per_second);
        let processor = figure(index, |load| load.processor);
        let pages = figure(index, |load| load.pages);
        table.row(&[
            tracer.name(),
            format!("{rate:.0}"),
            format!("{:.2}", rate / figure(0, |load| load.per_second)),
            format!("{processor:.1} µs"),
            format!("{:.1} µs", processor - figure(0, |load| load.processor)),
            format!("{:.0} µs", figure(index, |load| load.median)),
            format!("{:.0} µs", figure(index, |load| load.p99)),
            format!("{:.0} µs", quietest(&loads[index])),
            size(figure(index, |load| load.resident)),
            if pages > 0.0 { size(pages) } else { none() },
        ]);
    }
    format!(
        "{title}\nMessages of {PAYLOAD} bytes from one publisher to one subscriber, QoS 1: first as \
         fast as the broker takes them, then {} a second, for the time they are on their way. \
         Broker, clients and tracer share the machine. The broker's time has in it what the system \
         takes to wake the clients: the faster a broker is, the more seldom they sleep. Whatever else \
         runs shows most in the p99; in the quietest of {} turns, least.\n\n{}",
        1_000_000 / EVERY.as_micros(),
        TURNS * options.rounds(),
        table.finish()
    )
}

/// The least of what each turn gives as its p99.
fn quietest(loads: &[Load]) -> f64 {
    loads.iter().map(|load| load.p99).fold(f64::INFINITY, f64::min)
}

fn load(tracer: Tracer, tracers: &Tracers, options: &Options) -> Load {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::start(&tracers.prefix(tracer, directory.path()), None);
    let mut publisher = Publisher::connect(broker.port(), "publisher").unwrap();

    let mut first = Subscriber::connect(broker.port(), "first", FILTER).unwrap();
    let count = options.scaled(MESSAGES);
    let busy = processor(broker.pid());
    let start = Instant::now();
    let receiving = thread::spawn(move || {
        for _ in 0..count {
            first.next().expect("every message arrives");
        }
        first
    });
    publisher.publish(Qos::AtLeastOnce, &TOPICS, &[b'x'; PAYLOAD], count).unwrap();
    let first = receiving.join().unwrap();
    let per_second = count as f64 / start.elapsed().as_secs_f64();
    let processor = (processor(broker.pid()) - busy) * 1e6 / count as f64;
    first.disconnect().unwrap();

    let mut times = steady(&broker, &mut publisher, options.scaled(STEADY));
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let memory = Memory::of(broker.pid());
    let pages = procfs::family(std::process::id()).into_iter().find_map(session);
    publisher.disconnect().unwrap();
    broker.stop().expect_code(0);
    Load {
        per_second,
        processor,
        median: at(0.5),
        p99: at(0.99),
        resident: memory.resident,
        pages: pages.map_or(0.0, |(used, _)| used),
    }
}

/// Microseconds that each message was on its way. One that could not be sent when it was due,
/// because the broker had not yet acknowledged the one before, counts from when it was due.
fn steady(broker: &Broker, publisher: &mut Publisher, count: u64) -> Vec<f64> {
    let mut subscriber = Subscriber::connect(broker.port(), "steady", FILTER).unwrap();
    let start = Instant::now();
    let receiving = thread::spawn(move || {
        let arrivals = (0..count).map(|_| {
            let (_, payload) = subscriber.next().expect("every message arrives");
            let sent = u64::from_le_bytes(payload[..8].try_into().expect("eight bytes"));
            (start.elapsed() - Duration::from_nanos(sent)).as_secs_f64() * 1e6
        });
        let times: Vec<f64> = arrivals.collect();
        subscriber.disconnect().unwrap();
        times
    });
    let mut payload = [b'x'; PAYLOAD];
    for number in 0..count {
        let due = EVERY * number as u32;
        let early = due.saturating_sub(start.elapsed());
        let sent = if early.is_zero() {
            due
        } else {
            thread::sleep(early);
            start.elapsed()
        };
        payload[..8].copy_from_slice(&(sent.as_nanos() as u64).to_le_bytes());
        publisher.publish(Qos::AtLeastOnce, &TOPICS, &payload, 1).unwrap();
    }
    receiving.join().unwrap()
}

/// Processor seconds of a process, all threads: `schedstat`, which counts nanoseconds.
fn processor(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the broker runs");
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}
