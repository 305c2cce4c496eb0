//! Debian's own Postfix and Dovecot delivering mail under `unfreed run`: every message arrives as it
//! was sent, the servers say nothing that they do not say untraced, and nothing is left behind.
//!
//! Both servers empty the environment before they start their daemons, and both have a setting for
//! what stays (`import_environment`). Where it names the agent's two variables, every daemon is traced:
//! chrooted ones, ones that gave up root, ones with their descriptors closed.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::delivery::{assert_quiet, deliver};
use support::mail::{MailServers, Setup, missing};
use support::programs;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
/// For the test that needs a verdict: paced to last longer than 10 s, below which an uneven pace, as
/// on a busy machine, gives none.
const MESSAGES: usize = 400;
const PAUSE: Duration = Duration::from_millis(25);
/// For the others.
const FEW: usize = 20;

/// The servers' own defaults, and the agent's two variables.
const POSTFIX_IMPORTS: &str = "import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY \
    DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_PRELOAD UNFREED_SESSION\n";
const DOVECOT_IMPORTS: &str =
    "import_environment = TZ CORE_OUTOFMEM CORE_ERROR LD_PRELOAD UNFREED_SESSION\n";
/// Dovecot's services may use 256 MiB of addresses by default, of which the agent takes 248.
const DOVECOT_NO_LIMIT: &str = "default_vsz_limit = 0\n";

/// The daemons that every message passes, and those beside them that always run.
const POSTFIX_DAEMONS: [&str; 8] =
    ["cleanup", "lmtp", "master", "pickup", "postlogd", "qmgr", "smtpd", "trivial-rewrite"];
const DOVECOT_DAEMONS: [&str; 8] =
    ["anvil", "auth", "config", "dovecot", "imap", "imap-login", "lmtp", "log"];

fn tracer(report: &Path) -> Vec<OsString> {
    let words = [UNFREED, "run", "--json", "--output", report.to_str().unwrap(), "--"];
    words.iter().map(OsString::from).collect()
}

fn read(report: &Path) -> Value {
    let text = std::fs::read_to_string(report)
        .unwrap_or_else(|error| panic!("{}: {error}", report.display()));
    serde_json::from_str(&text).unwrap()
}

fn array<'a>(report: &'a Value, field: &str) -> &'a [Value] {
    report[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The programs of which an image was traced from its start: a fork that has not executed anything yet
/// bears its parent's name.
fn traced(report: &Value) -> BTreeSet<&str> {
    array(report, "target")
        .iter()
        .filter(|target| target["seen_from"] == "start")
        .filter(|target| target["allocations"].as_u64() > Some(0))
        .filter_map(|target| target["name"].as_str())
        .collect()
}

/// The programs that are said not to be traced.
fn not_traced(report: &Value) -> BTreeSet<&str> {
    array(report, "not_traced")
        .iter()
        .filter_map(|process| process["program"].as_str()?.split(" (").next()?.rsplit('/').next())
        .collect()
}

#[track_caller]
fn assert_among(wanted: &[&str], found: &BTreeSet<&str>) {
    let missing: Vec<_> = wanted.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not among {found:?}");
}

fn assert_nothing_lost(report: &Value) {
    assert_eq!(report["losses"], serde_json::json!({"events":0,"frees":0,"stacks":0,"bytes":0}));
    assert_eq!(array(report, "faults"), [] as [Value; 0]);
}

#[test]
fn mail_passes_untraced() {
    if let Some(why) = missing() {
        support::skip!("{why}");
    }
    let servers = MailServers::start(&Setup::default());
    deliver(&servers, FEW, Duration::ZERO);
    assert_quiet(&servers.stop());
}

/// Also the true positive: a plug-in that keeps a block per delivery is found in the one daemon that
/// loads it, among twenty that are traced, and nothing else is suspected.
#[test]
fn every_daemon_is_traced_where_the_servers_import_the_agent() {
    if let Some(why) = missing() {
        support::skip!("{why}");
    }
    support::require!("cc");
    let plugin = programs::keep_plugin();
    let plugins = plugin.parent().unwrap().display();
    let plugins =
        format!("mail_plugin_dir = {plugins}\nprotocol lmtp {{\n  mail_plugins = keep\n}}\n");
    let reports = tempfile::tempdir().unwrap();
    let (postfix, dovecot) = (reports.path().join("postfix"), reports.path().join("dovecot"));
    let servers = MailServers::start(&Setup {
        postfix_prefix: &tracer(&postfix),
        main_cf: POSTFIX_IMPORTS,
        dovecot_prefix: &tracer(&dovecot),
        dovecot_conf: &format!("{DOVECOT_IMPORTS}{DOVECOT_NO_LIMIT}{plugins}"),
    });
    deliver(&servers, MESSAGES, PAUSE);
    let stopped = servers.stop();
    let (postfix, dovecot) = (read(&postfix), read(&dovecot));
    println!("{postfix:#}\n{dovecot:#}");
    assert_quiet(&stopped);
    assert_among(&POSTFIX_DAEMONS, &traced(&postfix));
    assert_among(&DOVECOT_DAEMONS, &traced(&dovecot));
    for report in [&postfix, &dovecot] {
        assert_eq!(array(report, "not_traced"), [] as [Value; 0]);
        assert_nothing_lost(report);
    }

    assert_eq!(array(&postfix, "suspects"), [] as [Value; 0]);
    assert_eq!(stopped.postfix.code(), Some(0), "{}", stopped.postfix.err());
    let suspects = array(&dovecot, "suspects");
    assert_eq!(stopped.dovecot.code(), Some(1), "{}", stopped.dovecot.err());
    // A delivery makes two users, and not always from the same place.
    for suspect in suspects {
        assert_eq!(suspect["module"]["name"], "lib10_keep_plugin.so");
        assert_eq!(suspect["function"], "keep_user");
    }
    let most = suspects.iter().filter_map(|suspect| suspect["live_blocks"].as_u64()).max();
    assert!(most >= Some(MESSAGES as u64 / 2), "{most:?}");
}

/// Nothing has to be configured for every daemon to be traced.
#[test]
fn daemons_with_an_emptied_environment_are_traced() {
    if let Some(why) = missing() {
        support::skip!("{why}");
    }
    let reports = tempfile::tempdir().unwrap();
    let (postfix, dovecot) = (reports.path().join("postfix"), reports.path().join("dovecot"));
    let servers = MailServers::start(&Setup {
        postfix_prefix: &tracer(&postfix),
        dovecot_prefix: &tracer(&dovecot),
        dovecot_conf: DOVECOT_NO_LIMIT,
        ..Setup::default()
    });
    deliver(&servers, FEW, Duration::ZERO);
    let stopped = servers.stop();
    assert_quiet(&stopped);
    let (postfix, dovecot) = (read(&postfix), read(&dovecot));
    println!("{postfix:#}\n{dovecot:#}");
    assert_among(&POSTFIX_DAEMONS, &traced(&postfix));
    assert_among(&DOVECOT_DAEMONS, &traced(&dovecot));
    for report in [&postfix, &dovecot] {
        assert_eq!(array(report, "not_traced"), [] as [Value; 0]);
        assert_eq!(array(report, "suspects"), [] as [Value; 0]);
        assert_nothing_lost(report);
    }
    assert_eq!((stopped.postfix.code(), stopped.dovecot.code()), (Some(0), Some(0)));
}

/// Dovecot gives each service 256 MiB of addresses, if not told otherwise.
#[test]
fn daemons_with_few_addresses_work_as_untraced() {
    if let Some(why) = missing() {
        support::skip!("{why}");
    }
    let reports = tempfile::tempdir().unwrap();
    let dovecot = reports.path().join("dovecot");
    let servers = MailServers::start(&Setup {
        dovecot_prefix: &tracer(&dovecot),
        dovecot_conf: DOVECOT_IMPORTS,
        ..Setup::default()
    });
    deliver(&servers, FEW, Duration::ZERO);
    assert_quiet(&servers.stop());
    let dovecot = read(&dovecot);
    assert_nothing_lost(&dovecot);
    let (traced, mut seen) = (traced(&dovecot), not_traced(&dovecot));
    seen.extend(traced);
    assert_among(&DOVECOT_DAEMONS, &seen);
}
