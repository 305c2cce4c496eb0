//! mosquitto: publishers and subscribers that stay, clients that come and go, and a session that is
//! left behind and whose queue is thrown away now and then.

use std::thread;
use std::time::Duration;

use crate::pace::Pace;
use crate::soak::{Recorder, Soaking, client};
use crate::support::broker::Broker;
use crate::support::mqtt::{Publisher, Qos, Subscriber};

pub const BROKERS: u64 = 3;

const STAYING: u64 = 4;
const TOPICS: [&str; 6] =
    ["load/a/1", "load/a/2", "load/b/1", "load/b/2", "load/c/1", "load/a/1/deep/and/deeper"];
const FILTERS: [&str; 4] = ["load/#", "load/a/#", "load/+/1", "load/b/2"];

/// Starts one broker with its clients.
pub fn start(number: u64, recorder: &Recorder, pace: &Pace) -> Soaking {
    let name = format!("mosquitto-{number}");
    let broker = Broker::start(&recorder.prefix(&name), None);
    let port = broker.port();
    for number in 0..STAYING {
        let filter = FILTERS[(number % 4) as usize];
        let mut staying = Subscriber::connect(port, &format!("staying-{number}"), filter).unwrap();
        // Until the broker ends, and with it the connection.
        thread::spawn(move || while staying.next().is_ok() {});
    }
    let mut publisher = Publisher::connect(port, "publisher").unwrap();
    let sensor = client(pace.other(0), Duration::from_millis(40), move |pace| {
        let size = 1 + pace.mostly_small(2_000) as usize;
        let qos = if pace.below(2) == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        let topic = TOPICS[pace.below(TOPICS.len() as u64) as usize];
        publisher.publish(qos, &[topic], &vec![b'x'; size], 1)
    });
    let mut burst = Publisher::connect(port, "burst").unwrap();
    let bursts = client(pace.other(1), Duration::from_secs(8), move |pace| {
        burst.publish(Qos::AtLeastOnce, &TOPICS, &[b'y'; 120], pace.below(400))
    });
    let visitors = client(pace.other(2), Duration::from_millis(300), move |pace| {
        let visitor = format!("visitor-{}", pace.below(100_000));
        Subscriber::connect(port, &visitor, FILTERS[pace.below(4) as usize])?.disconnect()?;
        let mut publisher = Publisher::connect(port, &visitor)?;
        publisher.publish(Qos::AtMostOnce, &TOPICS, &[b'z'; 60], pace.below(4))?;
        publisher.disconnect()
    });
    let sleeper = client(pace.other(3), Duration::from_secs(15), move |pace| {
        // A clean session ends the one that was left before, with its queue.
        Subscriber::connect(port, "sleeper", "load/b/#")?.disconnect()?;
        if pace.below(3) > 0 {
            Subscriber::leave_behind(port, "sleeper", "load/b/#")
        } else {
            Ok(())
        }
    });
    let clients = vec![sensor, bursts, visitors, sleeper];
    Soaking { name, clients, stop: Box::new(move || drop(broker.stop())) }
}
