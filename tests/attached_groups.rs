//! Attaching to all processes of a control group, and of a systemd service.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "unit/machine.rs"]
mod machine;
mod support;
mod traced;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use attached::{require_attach, until};
use machine::Machine;
use serde_json::Value;
use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::Signal;
use traced::UNFREED;

/// A control group; gone with those in it.
struct Group {
    directory: PathBuf,
    members: Vec<Running>,
}

impl Group {
    /// Where none can be made: why.
    fn make(directory: PathBuf) -> Result<Group, String> {
        fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Group { directory, members: Vec::new() })
    }

    /// Puts a running program into it.
    fn add(&mut self) -> u32 {
        let member = lingerer();
        let pid = member.pid();
        fs::write(self.directory.join("cgroup.procs"), pid.to_string()).unwrap();
        self.members.push(member);
        pid
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for member in self.members.drain(..) {
            member.signal(Signal::Kill);
            member.finish(LIMIT);
        }
        // The kernel lets go of the last one a moment later.
        until("the control group is empty", || fs::remove_dir(&self.directory).is_ok());
    }
}

fn lingerer() -> Running {
    let program = Running::start(&mut Command::new(programs::c("linger_attached")));
    program.wait_for("up\n", LIMIT);
    program
}

/// Where groups of the second version are, whatever else is mounted.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mut points = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let point = words.next()?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(point))
    });
    points.next()
}

/// Attaches for a moment; who was attached to, each with how many allocations were seen.
fn attached_by(option: &str, value: &str) -> Vec<(u64, u64)> {
    let mut command = Command::new(UNFREED);
    command.args(["attach", "-q", "--json", "--duration", "2s", option, value]);
    let report = run(&mut command, LIMIT).expect_code(0);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let number = |of: &Value, field: &str| of[field].as_u64().unwrap();
    let targets = report["target"].as_array().unwrap().iter();
    targets.map(|target| (number(target, "pid"), number(target, "allocations"))).collect()
}

#[test]
fn all_of_a_control_group_and_below_are_attached_to_and_nobody_else() {
    require_attach!();
    let Some(hierarchy) = hierarchy() else {
        support::skip!("no control groups of the second version are mounted");
    };
    let name = format!("unfreed-test-{}", std::process::id());
    let directory = hierarchy.join(&name);
    let mut group = match Group::make(directory.clone()) {
        Ok(group) => group,
        Err(why) => support::skip!("no control group can be made: {why}"),
    };
    // Declared later, so that it goes first: a group with groups in it cannot be removed.
    let mut below = Group::make(directory.join("below")).unwrap();
    let outside = lingerer();
    let meant: BTreeSet<u64> =
        [group.add(), group.add(), below.add()].map(u64::from).into_iter().collect();
    // As the kernel names it for a process, and as the directory that it is.
    let own = fs::read_to_string(format!("/proc/{}/cgroup", group.members[0].pid())).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
    assert!(own.ends_with(&name), "{own}");
    for path in [own.as_str(), directory.to_str().unwrap()] {
        let seen = attached_by("--cgroup", path);
        assert_eq!(seen.iter().map(|(pid, _)| *pid).collect::<BTreeSet<_>>(), meant, "{path}");
        assert!(seen.iter().all(|(_, allocations)| *allocations > 100), "{path}: {seen:?}");
    }
    outside.signal(Signal::Kill);
    outside.finish(LIMIT);
}

#[test]
fn a_control_group_with_nobody_in_it_is_told() {
    require_attach!();
    let mut command = Command::new(UNFREED);
    let finished =
        run(command.args(["attach", "--cgroup", "/no/such/group"]), LIMIT).expect_code(2);
    assert!(finished.err().contains("in the control group /no/such/group"), "{}", finished.err());
}

/// A real systemd in namespaces of its own has the service; unfreed is outside, as beside a container.
#[test]
fn all_of_a_systemd_service_are_attached_to() {
    require_attach!();
    let program = programs::c("linger_attached");
    let program = program.to_str().unwrap();
    let name = format!("unfreed-attached-{}", std::process::id());
    let line = format!("/bin/sh -c '{program} & exec {program}'");
    let service = format!("[Service]\nExecStart={line}\n");
    let machine = match Machine::start(&[(&name, &service)]) {
        Ok(machine) => machine,
        Err(why) => support::skip!("{why}"),
    };
    machine.sh(&format!("systemctl start {name}"));
    let is_one = |pid: &u64| {
        let program_of = fs::read_link(format!("/proc/{pid}/exe"));
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        program_of.is_ok_and(|of| of.ends_with(Path::new(program).file_name().unwrap()))
            && groups.contains(&name)
    };
    let meant = || -> BTreeSet<u64> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(is_one)
            .collect()
    };
    until("both processes of the service run", || meant().len() == 2);
    let meant = meant();
    for unit in [name.clone(), format!("{name}.service")] {
        let seen = attached_by("--unit", &unit);
        assert_eq!(seen.iter().map(|(pid, _)| *pid).collect::<BTreeSet<_>>(), meant, "{unit}");
        assert!(seen.iter().all(|(_, allocations)| *allocations > 100), "{unit}: {seen:?}");
    }
}
