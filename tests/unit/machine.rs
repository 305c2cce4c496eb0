//! A real systemd, as the first process of namespaces of its own: it shares nothing with the
//! machine's but the files, and its `/run`, `/opt`, `/var/lib` and unit files are its own. Its `/run` is mounted noexec.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::process::{Finished, LIMIT, Running, run};
use crate::support::{programs, skip};

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// Puts itself into a cgroup of its own, then into namespaces.
const OUTER: &str = r#"set -e
mount --make-rprivate /
mkdir -p "$1/cgroup"
mount -t cgroup2 unfreed-test "$1/cgroup"
mkdir "$1/cgroup/$2"
echo $$ > "$1/cgroup/$2/cgroup.procs"
exec unshare --pid --mount --cgroup --uts --ipc --fork --kill-child sh -c "$3" inner "$1"
"#;

/// Becomes systemd.
const INNER: &str = r#"set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /opt
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir /run/lock /run/empty /opt/units
cp "$1"/units/* /opt/units
cp "$1"/bin/* /opt
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for generators in system-generators system-environment-generators; do
    ! [ -d /usr/lib/systemd/$generators ] || mount --bind /run/empty /usr/lib/systemd/$generators
done
export container=unfreed-test SYSTEMD_UNIT_PATH=/opt/units:/run/systemd/system
exec /usr/lib/systemd/systemd --system --unit=test.target --log-target=null
"#;

/// Removes the cgroups that systemd made.
const SWEEP: &str = r#"mount -t cgroup2 unfreed-test "$1/cgroup" &&
find "$1/cgroup/$2" -depth -type d -exec rmdir {} +
"#;

/// Gone with everything in it when dropped.
pub struct Machine {
    /// First, so that it ends before its directory is removed.
    systemd: Option<Running>,
    pid: u32,
    cgroup: String,
    directory: tempfile::TempDir,
}

impl Machine {
    /// Starts it with these services; each a name and what is in its file. Nothing where it cannot
    /// be had here, and why.
    pub fn start(services: &[(&str, &str)]) -> Result<Machine, String> {
        for tool in ["unshare", "nsenter", "systemctl"] {
            skip::tool(tool).ok_or_else(|| format!("{tool} is not installed"))?;
        }
        if !Path::new(SYSTEMD).exists() {
            return Err("systemd is not installed".into());
        }
        if !rustix::process::geteuid().is_root() {
            return Err("only root can start a systemd of its own".into());
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        fs::create_dir(at("units")).unwrap();
        fs::create_dir(at("bin")).unwrap();
        for target in ["test", "basic", "sysinit", "shutdown"] {
            let unit = format!("[Unit]\nDescription={target}\n");
            fs::write(at(&format!("units/{target}.target")), unit).unwrap();
        }
        for (name, text) in services {
            fs::write(at(&format!("units/{name}.service")), text).unwrap();
        }
        fs::copy(programs::c("service"), at("bin/service")).unwrap();
        let cgroup = format!("unfreed-test-{}", directory.path().file_name().unwrap().display());
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", OUTER, "outer"]);
        command.arg(directory.path()).arg(&cgroup).arg(INNER);
        let mut systemd = Running::start(&mut command);
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let children = format!("/proc/{0}/task/{0}/children", systemd.pid());
            let children = fs::read_to_string(children).unwrap_or_default();
            let is_systemd = |pid: &u32| {
                fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|name| name == "systemd\n")
            };
            let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            if let Some(pid) = pids.into_iter().find(is_systemd) {
                let machine = Machine { systemd: None, pid, cgroup: cgroup.clone(), directory };
                return machine.ready(systemd, deadline);
            }
            if systemd.has_ended() {
                let said = systemd.finish(LIMIT).err();
                return Err(format!("no namespaces for a systemd of its own: {said}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("systemd did not start within 30 s".into())
    }

    fn ready(mut self, mut systemd: Running, deadline: Instant) -> Result<Machine, String> {
        while Instant::now() < deadline && !systemd.has_ended() {
            if self.try_sh("systemctl is-active test.target").code() == Some(0) {
                self.systemd = Some(systemd);
                return Ok(self);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("systemd did not come up: {}", systemd.has_ended()))
    }

    fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.pid.to_string(), "--", program]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env_remove("UNFREED_SESSION");
        command
    }

    /// Runs a shell's line in it.
    pub fn try_sh(&self, line: &str) -> Finished {
        run(self.enter("sh").args(["-c", line]), LIMIT)
    }

    /// The same; panics unless it went well.
    #[track_caller]
    pub fn sh(&self, line: &str) -> String {
        self.try_sh(line).expect_code(0).out()
    }

    /// Runs unfreed in it, to its end.
    pub fn unfreed(&self, arguments: &[&str]) -> Finished {
        run(self.enter(UNFREED).args(arguments), LIMIT)
    }

    /// Starts unfreed in it.
    pub fn start_unfreed(&self, arguments: &[&str]) -> Running {
        Running::start(self.enter(UNFREED).args(arguments))
    }

    /// Waits until a shell's line succeeds; panics past the limit.
    #[track_caller]
    pub fn wait_until(&self, line: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.try_sh(line).code() != Some(0) {
            assert!(Instant::now() < deadline, "never true: {line}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that tracing could leave behind.
    pub fn traces_left(&self) -> String {
        self.sh(
            "ls -d /run/unfreed /var/lib/unfreed 2>/dev/null; grep unfreed /proc/mounts | grep -v unfreed-test; \
             find /run/systemd/system -name '*unfreed*' -o -name '*.service.d'; true",
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Ends the first process, and with it all others.
        self.systemd = None;
        let mut sweep = Command::new("unshare");
        sweep.args(["--mount", "sh", "-c", SWEEP, "sweep"]).arg(self.directory.path());
        // A cgroup can be removed once the last process in it is gone, a moment later.
        for _ in 0..100 {
            let swept = run(sweep.arg(&self.cgroup), LIMIT);
            if swept.code() == Some(0) || swept.err().contains("No such file") {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("the cgroup {} is left behind", self.cgroup);
    }
}
