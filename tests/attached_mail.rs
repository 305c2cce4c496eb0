//! Debian's own Postfix and Dovecot, attached to while they run: every message arrives as it was sent, the servers say
//! nothing that they would not say otherwise, whatever they start is followed, and nobody is accused.
//!
//! `ATTACH_SECONDS` has it go on for that long instead of 12 s.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use attached::{attach, require_attach, span};
use serde_json::Value;
use support::delivery::{assert_quiet, deliver};
use support::imap::Inbox;
use support::mail::{MailServers, Setup, missing};
use support::process::{Finished, LIMIT, Running};
use support::signal::Signal;

const HURRIED: usize = 5;
const PAUSE: Duration = Duration::from_millis(25);
/// What every message passes, of both servers; most of them begin only then. (Who allocates a dozen times and has
/// done so before it can be attached to, as imap-login, is not demanded.)
const DAEMONS: [&str; 6] = ["auth", "cleanup", "imap", "lmtp", "qmgr", "smtpd"];

#[test]
fn mail_passes_while_both_servers_are_attached_to() {
    if let Some(why) = missing() {
        support::skip!("{why}");
    }
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let servers = MailServers::start(&Setup::default());
    let mut verb: Vec<OsString> = ["attach", "--json", "--output"].map(OsString::from).into();
    verb.push(report.clone().into());
    let older: Vec<u32> = servers.daemons().into_iter().map(|(pid, _)| pid).collect();
    verb.extend(older.iter().map(|pid| pid.to_string().into()));
    let unfreed = attach(&verb);
    let messages = span().as_millis() / PAUSE.as_millis();
    let began = Instant::now();
    deliver(&servers, messages as usize, PAUSE);
    println!("{messages} messages in {:?}", began.elapsed());
    // Clients that come late and go at once: what serves them may not live long enough to be attached to.
    for _ in 0..HURRIED {
        Inbox::open(servers.imap(), "bob@example", "secret").unwrap().logout().unwrap();
    }
    let finished = end(unfreed);
    assert_quiet(&servers.stop());
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    println!("{messages} messages: {:#} {:#}", report["totals"], report["losses"]);
    println!("not traced: {:#}", report["not_traced"]);
    assert_eq!(report["suspects"], serde_json::json!([]), "{:#}", report["suspects"]);
    assert_eq!(finished.code(), Some(0), "{}", finished.err());
    assert_eq!(report["losses"]["frees"], 0, "{:#}", report["losses"]);
    let targets = report["target"].as_array().unwrap().iter();
    let silent: Vec<_> = targets
        .clone()
        .filter(|target| target["allocations"] == 0 && target["unseen_first_s"].is_null())
        .filter(|target| !older.iter().any(|pid| target["pid"] == *pid))
        .collect();
    assert!(silent.is_empty(), "nothing is said of {silent:#?}");
    let seen: BTreeSet<&str> = targets
        .clone()
        .filter(|target| target["allocations"].as_u64() > Some(0))
        .filter_map(|target| target["name"].as_str())
        .collect();
    let unseen: Vec<_> = DAEMONS.iter().filter(|name| !seen.contains(**name)).collect();
    let told: Vec<String> = targets
        .map(|of| {
            let [pid, name, allocations, unseen] =
                ["pid", "name", "allocations", "unseen_first_s"].map(|key| &of[key]);
            format!("{pid} {name}: {allocations} allocations, the first {unseen} s unseen")
        })
        .collect();
    assert!(unseen.is_empty(), "{unseen:?} are not among {told:#?}");
}

fn end(unfreed: Running) -> Finished {
    unfreed.signal(Signal::Interrupt);
    unfreed.finish(LIMIT)
}
