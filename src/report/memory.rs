//! How a process's memory grew, and how much of that the traced blocks explain. What they do not explain is said to be
//! unexplained: it is in no module's account, and a reason is only named where something on the target speaks for it.

use super::model::MemoryShown;
use crate::event::{Metric, Time};
use crate::ledger::{Image, KnownMemory, Ledger, Memory};

/// Runtimes that keep a heap of their own, by the beginning of their modules' names.
const RUNTIMES: [(&str, &str); 6] = [
    ("clr.dll", ".NET"),
    ("mscorwks.dll", ".NET"),
    ("mscorsvr.dll", ".NET"),
    ("coreclr", ".NET"),
    ("jvm.dll", "Java"),
    ("libjvm.so", "Java"),
];

/// What there is to say of a process's memory; `None` where it was not measured twice. Of a case, counters may have gone on
/// for longer than blocks were traced: what came behind `blocks_until` is in no account.
pub fn shown(ledger: &Ledger, image: &Image, blocks_until: Option<Time>) -> Option<MemoryShown> {
    let (metric, points) = image.memory()?;
    let traced = |time: Time| blocks_until.is_none_or(|until| time <= until);
    let last = *points.iter().rfind(|(time, _)| traced(*time))?;
    // What lived before anything was traced is in no account.
    let first =
        points.iter().find(|(_, memory)| memory.known.is_some()).or(points.first()).copied()?;
    (first.0 < last.0).then(|| account(ledger, image, metric, first, last))
}

fn account(
    ledger: &Ledger,
    image: &Image,
    metric: Metric,
    first: (Time, Memory),
    last: (Time, Memory),
) -> MemoryShown {
    let growth = difference(first.1.measured.0, last.1.measured.0);
    let known = first.1.known.zip(last.1.known);
    let of = |part: fn(KnownMemory) -> u64| {
        known.map(|(first, last)| difference(part(first), part(last)))
    };
    let (heap, mapped) = (of(|known| known.heap.0), of(|known| known.mapped.0));
    let span = (first.0, last.0);
    let committed = gained(image, Metric::HeapCommitted, span);
    let managed = gained(image, Metric::ManagedHeap, span);
    // Heaps commit more than their blocks: what they say of themselves counts, where they do.
    let explained = heap.map(|heap| {
        let heaps = heap.max(committed.unwrap_or(heap));
        heaps.saturating_add(mapped.unwrap_or(0)).saturating_add(managed.unwrap_or(0))
    });
    MemoryShown {
        metric,
        from_s: since(ledger, first.0),
        to_s: since(ledger, last.0),
        first_bytes: first.1.measured.0,
        last_bytes: last.1.measured.0,
        growth_bytes: growth,
        live_blocks_bytes: heap,
        mapped_bytes: mapped,
        heap_committed_bytes: committed,
        managed_heap_bytes: managed,
        unexplained_bytes: explained.map(|explained| growth.saturating_sub(explained).max(0)),
        runtimes: runtimes(ledger, image),
    }
}

/// How much a quantity grew between its first and its last value of a span of time.
fn gained(image: &Image, metric: Metric, (from, to): (Time, Time)) -> Option<i64> {
    let within = |(at, _): &&(Time, u64)| from <= *at && *at <= to;
    let mut points = image.samples(metric).iter().filter(within);
    let first = points.next()?.1;
    Some(difference(first, points.next_back()?.1))
}

/// By how much a value grew; what a file says may be anything.
fn difference(first: u64, last: u64) -> i64 {
    let difference = i128::from(last) - i128::from(first);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

fn since(ledger: &Ledger, time: Time) -> f64 {
    Time(time.0.saturating_sub(ledger.began().unwrap_or_default().0)).seconds()
}

fn runtimes(ledger: &Ledger, image: &Image) -> Vec<String> {
    let names = image.mappings().iter().filter_map(|m| ledger.modules().identity(m.module));
    let mut found: Vec<String> = names
        .filter_map(|module| {
            let name = module.name.to_lowercase();
            let (_, runtime) = RUNTIMES.iter().find(|(begins, _)| name.starts_with(begins))?;
            Some(format!("{runtime} ({})", module.name))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
