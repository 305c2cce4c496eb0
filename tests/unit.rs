//! A systemd service traced by its name, under a real systemd in namespaces of its own: what a
//! sandbox may hold, what is refused, and that nothing is left behind, whatever ends the tracing.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "unit/machine.rs"]
mod machine;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use machine::Machine;
use serde_json::Value;
use support::process::{LIMIT, run};
use support::programs;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");

macro_rules! machine {
    ($($service:expr),+ $(,)?) => {{
        let _cc = support::require!("cc");
        match Machine::start(&[$($service),+]) {
            Ok(machine) => machine,
            Err(why) => support::skip!("{why}"),
        }
    }};
}

/// Traces a service that ends by itself, and holds what was seen against what it did.
#[track_caller]
fn check_traced(machine: &Machine, name: &str, most: u64) {
    let traced = machine.unfreed(&["run", "--unit", name, "--json"]);
    assert!(matches!(traced.code(), Some(0 | 1)), "{name}: {}", traced.err());
    let report: Value = serde_json::from_slice(&traced.stdout).unwrap();
    let blocks: u64 = report["totals"]["live_blocks"].as_u64().unwrap();
    // 1000 of the service and 1000 of the program that it executes; some of the loader, and of shells.
    assert!((2000..most).contains(&blocks), "{name}: {blocks}\n{}", traced.err());
    assert!(report["not_traced"].as_array().is_none_or(Vec::is_empty), "{name}: {report}");
    assert_eq!(machine.traces_left(), "", "{name}");
    let shown = machine.sh(&format!("systemctl show -p Environment,BindPaths {name}"));
    assert!(!shown.contains("unfreed"), "{shown}");
}

#[test]
fn services_in_all_kinds_of_sandboxes_are_traced_whole() {
    let strict = "[Service]\nExecStart=/opt/service\nDynamicUser=yes\nPrivateTmp=yes\nProtectSystem=strict\n\
        ProtectHome=yes\nProtectProc=invisible\nProcSubset=pid\nPrivateDevices=yes\nPrivateUsers=yes\n\
        NoExecPaths=/\nExecPaths=/usr /lib /lib64 /opt\nSystemCallFilter=@system-service\n\
        MemoryDenyWriteExecute=yes\nRestrictNamespaces=yes\nNoNewPrivileges=yes\nRestrictAddressFamilies=AF_UNIX\n\
        LockPersonality=yes\nRestrictSUIDSGID=yes\nCapabilityBoundingSet=\nLimitAS=2G\nMemoryMax=1G\n";
    let plain = "[Service]\nExecStart=/opt/service\nExecStartPre=/bin/true\n\
        ExecStartPre=+/bin/true\n";
    let user = "[Service]\nExecStart=/opt/service\nUser=daemon\nReadOnlyPaths=/\nInaccessiblePaths=-/home /boot\n\
        TemporaryFileSystem=/run /tmp\nEnvironment=\"LD_PRELOAD=/opt/no \" A=b\nSystemCallFilter=~@mount @swap\n";
    let hidden =
        "[Service]\nExecStart=/opt/service\nInaccessiblePaths=-/run/unfreed\nPrivateMounts=yes\n";
    let notify = "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c \
        'systemd-notify --ready; exec /opt/service'\n";
    let machine = machine!(
        ("strict", strict),
        ("plain", plain),
        ("user", user),
        ("hidden", hidden),
        ("notify", notify),
    );
    assert!(machine.sh("grep ' /run ' /proc/mounts").contains("noexec"));
    assert_eq!(machine.sh("/opt/service"), "lost=2000 child=0\n");
    for name in ["strict", "plain", "user", "hidden"] {
        check_traced(&machine, name, 2100);
    }
    check_traced(&machine, "notify", 4000);
}

#[test]
fn a_forking_service_is_traced_until_it_is_stopped() {
    let forking = "[Service]\nType=forking\nExecStart=/bin/sh -c '/opt/service stay & exit 0'\n";
    let machine = machine!(("forking", forking));
    let traced = machine.start_unfreed(&["run", "--unit", "forking", "--json"]);
    // The second half is the child's.
    machine.wait_until("test \"$(ls /run/unfreed 2>/dev/null)\" && pgrep -f 'service stay'");
    machine.wait_until("systemctl is-active forking");
    machine.sh("systemctl stop forking");
    let traced = traced.finish(LIMIT);
    assert!(matches!(traced.code(), Some(0 | 1)), "{}", traced.err());
    assert_eq!(machine.traces_left(), "");
}

#[test]
fn nothing_is_left_whatever_ends_the_tracing() {
    let stay = "[Service]\nExecStart=/opt/service stay\n";
    let machine = machine!(("stay", stay));
    let owner = "read pid rest < /run/unfreed/stay.service/owner";
    let traced = "grep -q libunfreed_agent /proc/$(systemctl show -P MainPID stay)/maps";
    // The agent is mapped before it has joined. Who sleeps or waits (clock_nanosleep, wait4, pause) has allocated.
    let at_work = format!(
        "{traced} && grep -qE '^(230|61|34) ' /proc/$(systemctl show -P MainPID stay)/syscall"
    );
    for signal in ["INT", "TERM", "HUP"] {
        let unfreed = machine.start_unfreed(&["run", "--unit", "stay"]);
        machine.wait_until(&at_work);
        machine.sh(&format!("{owner}; kill -{signal} $pid"));
        let ended = unfreed.finish(LIMIT);
        assert!(matches!(ended.code(), Some(0 | 1)), "{signal}: {}", ended.err());
        check_agent_remains(&machine);
        machine.sh(&format!("systemctl restart stay; ! {traced}"));
    }
    machine.unfreed(&["run", "--unit", "stay", "--undo"]).expect_code(0);
    assert_eq!(machine.traces_left(), "");
    let ended =
        machine.unfreed(&["run", "--unit", "stay", "--duration", "300ms", "--restart-after"]);
    assert!(matches!(ended.code(), Some(0 | 1)), "{}", ended.err());
    machine.sh(&format!("systemctl is-active stay && ! {traced}"));
    assert_eq!(machine.traces_left(), "");

    // A service may write the session, so it may cut it short: that must not end a root's process.
    machine.sh("systemctl restart stay");
    let unfreed = machine.start_unfreed(&["run", "--unit", "stay"]);
    machine.wait_until(&at_work);
    machine.sh("truncate -s 0 /run/unfreed/stay.service/secret/session");
    // The service writes to what is no more, and dies; unfreed must see that and say so.
    machine.sh("systemctl stop stay");
    let said = unfreed.finish(LIMIT).expect_code(2).err();
    assert!(
        said.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("cut the shared memory short"),
        "{said}"
    );
    assert_eq!(machine.traces_left(), "");
    machine.sh("systemctl start stay");

    // A second one does not disturb the first; killed, the first leaves everything to the next.
    for undo in [true, false] {
        // What is in it from before is silent, and gone.
        machine.sh("systemctl restart stay");
        let unfreed = machine.start_unfreed(&["run", "--unit", "stay"]);
        machine.wait_until(traced);
        let second = machine.unfreed(&["run", "--unit", "stay"]).expect_code(2).err();
        assert!(second.contains("is being traced already"), "{second}");
        let live = machine.unfreed(&["run", "--unit", "stay", "--undo"]).expect_code(0).err();
        assert!(live.contains("kill -INT"), "{live}");
        machine.sh(&format!("{owner}; kill -KILL $pid"));
        drop(unfreed);
        assert!(machine.traces_left().contains("zz-unfreed.conf"));
        let next: &[&str] = if undo { &["--undo"] } else { &["--duration", "300ms"] };
        let cleared = machine.unfreed(&[&["run", "--unit", "stay"], next].concat());
        assert!(cleared.err().contains("zz-unfreed.conf, left by"), "{}", cleared.err());
        machine.sh("systemctl is-active stay");
        check_agent_remains(&machine);
        machine.sh("systemctl restart stay");
        machine.unfreed(&["run", "--unit", "stay", "--undo"]).expect_code(0);
        assert_eq!(machine.traces_left(), "", "undo {undo}");
    }
}

/// A service that was not restarted since finds its agent, and nothing else is left of the trace.
#[track_caller]
fn check_agent_remains(machine: &Machine) {
    let place = "/run/unfreed/stay.service";
    assert_eq!(
        machine.sh(&format!("find {place}")),
        format!("{place}\n{place}/libunfreed_agent.so\n")
    );
    machine.sh("test -z \"$(find /run/systemd/system -mindepth 1)\"");
    let started = machine.try_sh(&format!(
        "nsenter -m -t $(systemctl show -P MainPID stay) env LD_PRELOAD={place}/libunfreed_agent.so /bin/true"
    ));
    assert_eq!((started.code(), started.err().as_str()), (Some(0), ""), "the loader finds it");
}

#[test]
fn nobody_but_the_service_opens_the_session() {
    let stay = "[Service]\nExecStart=/opt/service stay\nDynamicUser=yes\n";
    let machine = machine!(("stay", stay));
    let unfreed = machine.start_unfreed(&["run", "--unit", "stay"]);
    machine.wait_until(
        "grep -q /run/unfreed/stay.service/session /proc/$(systemctl show -P MainPID stay)/maps || \
        grep -q 'secret/session\\|unfreed.*session' /proc/$(systemctl show -P MainPID stay)/maps",
    );
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let place = "/run/unfreed/stay.service";
    machine.sh(&format!("test -s {place}/secret/session"));
    for file in [
        "session",
        "secret/session",
        "/proc/$(systemctl show -P MainPID stay)/root/run/unfreed/stay.service/session",
    ] {
        let path = if file.starts_with('/') { file.to_owned() } else { format!("{place}/{file}") };
        assert_ne!(machine.try_sh(&format!("{nobody} head -c 1 {path}")).code(), Some(0), "{file}");
        assert_ne!(
            machine.try_sh(&format!("{nobody} sh -c ': >> {path}'")).code(),
            Some(0),
            "{file}"
        );
    }
    // Not even as root may the service change the agent.
    let inside = format!(
        "nsenter -m -t $(systemctl show -P MainPID stay) sh -c ': >> {place}/libunfreed_agent.so'"
    );
    let refused = machine.try_sh(&inside);
    assert!(refused.err().contains("Read-only file system"), "{}", refused.err());
    drop(unfreed);
}

#[test]
fn what_cannot_be_traced_is_said_before_anything_is_touched() {
    let filtered = "[Service]\nExecStart=/opt/service stay\nSystemCallFilter=~membarrier\n";
    let tight = "[Service]\nExecStart=/opt/service stay\nLimitAS=100M\n";
    let bare = "[Service]\nExecStart=+/opt/service stay\n";
    let machine = machine!(("filtered", filtered), ("tight", tight), ("bare", bare));
    for (name, by) in
        [("filtered", "membarrier"), ("tight", "LimitAS= is 100 MiB"), ("bare", "`+`")]
    {
        machine.sh(&format!("systemctl start {name}"));
        let pid = machine.sh(&format!("systemctl show -P MainPID {name}"));
        let refused = machine.unfreed(&["run", "--unit", name]).expect_code(2);
        let said = refused.err().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(by) && said.contains("what to do:"), "{said}");
        assert_eq!(machine.sh(&format!("systemctl show -P MainPID {name}")), pid);
        assert_eq!(machine.traces_left(), "");
    }
    let unknown = machine.unfreed(&["run", "--unit", "unknown"]).expect_code(2).err();
    assert!(unknown.contains("there is no service unknown.service"), "{unknown}");
}

#[test]
fn a_service_that_does_not_start_is_brought_up_again_without_the_agent() {
    // As if the agent were at fault: with it in the environment, the service refuses to start.
    let picky = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'test -z \"$LD_PRELOAD\"'\n";
    let machine = machine!(("picky", picky));
    machine.sh("systemctl start picky");
    let failed = machine.unfreed(&["run", "--unit", "picky"]).expect_code(2).err();
    assert!(failed.contains("did not start with the agent"), "{failed}");
    machine.sh("systemctl is-active picky");
    assert_eq!(machine.traces_left(), "");
}

#[test]
fn the_drop_in_put_in_place_by_hand_serves_too() {
    let stay = "[Service]\nExecStart=/opt/service stay\nDynamicUser=yes\n";
    let machine = machine!(("stay", stay));
    let printed = machine.unfreed(&["run", "--unit", "stay", "--print"]).expect_code(0).out();
    machine.sh(&format!(
        "mkdir -p /opt/units/stay.service.d && cat > /opt/units/stay.service.d/trace.conf <<'END'\n{printed}END\n"
    ));
    let verified = machine.try_sh("systemd-analyze verify /opt/units/stay.service");
    assert!(verified.code() == Some(0) && verified.err().is_empty(), "{}", verified.err());
    // Nobody traces: the service runs all the same.
    machine.sh("systemctl daemon-reload; systemctl restart stay; systemctl is-active stay");
    let unfreed = machine.start_unfreed(&["run", "--unit", "stay", "--by-hand", "--json"]);
    machine.wait_until("test -s /run/unfreed/stay.service/secret/session");
    machine.sh("systemctl restart stay");
    machine.wait_until("grep -q libunfreed_agent /proc/$(systemctl show -P MainPID stay)/maps");
    machine.sh("sleep 0.5; read pid rest < /run/unfreed/stay.service/owner; kill -INT $pid");
    let traced = unfreed.finish(LIMIT);
    let report: Value = serde_json::from_slice(&traced.stdout).unwrap();
    assert!(report["totals"]["allocations"].as_u64().unwrap() > 0, "{}", traced.err());
    machine.sh("rm -r /opt/units/stay.service.d; systemctl daemon-reload; systemctl restart stay");
    machine.unfreed(&["run", "--unit", "stay", "--undo"]).expect_code(0);
    assert_eq!(machine.traces_left(), "");
}

#[test]
fn the_drop_in_is_shown_anywhere() {
    let printed = run(
        Command::new(UNFREED).args(["run", "--unit", "mail", "--print"]).env("PATH", "/nowhere"),
        LIMIT,
    );
    let printed = printed.expect_code(0);
    assert!(
        printed.out().contains("\nBindReadOnlyPaths=-/run/unfreed/mail.service\n"),
        "{}",
        printed.out()
    );
    let without =
        run(Command::new(UNFREED).args(["run", "--unit", "mail"]).env("PATH", "/nowhere"), LIMIT);
    let said = without.expect_code(2).err();
    assert!(said.contains("systemctl could not be run") && said.contains("what to do:"), "{said}");
}

/// The calls that a program makes, as strace sees them.
fn calls(trace: &Path, program: &Path, command: &mut Command) -> BTreeSet<String> {
    run(command, LIMIT).expect_code(0);
    let text = fs::read_to_string(trace).unwrap();
    let executes = format!("execve({:?}", program.display().to_string());
    let start = text.lines().position(|line| line.contains(&executes)).unwrap();
    let pid = text.lines().nth(start).unwrap().split_whitespace().next().unwrap();
    let of_it = text.lines().skip(start).filter_map(|line| line.strip_prefix(pid)?.split_once('('));
    let names = of_it.map(|(name, _)| name.trim().to_owned());
    names.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).collect()
}

#[test]
fn the_agent_calls_what_the_check_of_filters_knows() {
    let strace = support::require!("strace");
    let _cc = support::require!("cc");
    let program = programs::c("fork");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("strace");
    let mut bare = Command::new(&strace);
    bare.args(["-f", "-o"]).arg(&trace).arg(&program);
    let without = calls(&trace, &program, &mut bare);
    let mut traced = Command::new(&strace);
    traced.args(["-f", "-o"]).arg(&trace).args([UNFREED, "record", "-q", "--target-status", "-o"]);
    traced.arg(directory.path().join("trace")).arg("--").arg(&program);
    let with = calls(&trace, &program, &mut traced);
    let source =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/collect/unit/calls.rs"))
            .unwrap();
    let unknown: Vec<_> =
        with.difference(&without).filter(|call| !source.contains(&format!("\"{call}\""))).collect();
    assert!(
        unknown.is_empty(),
        "the agent makes calls that no filter was checked for: {unknown:?}"
    );
    assert!(with.contains("membarrier"), "{with:?}");
}
