//! The RPM database. Its formats are many and private to rpm, so that rpm itself is asked, one
//! question per file, where a database exists.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Owner;

/// Where databases lie, and the files of which each format has one.
const DIRECTORIES: [&str; 2] = ["usr/lib/sysimage/rpm", "var/lib/rpm"];
const DATABASES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];
/// One line per package: name, epoch, version and release, architecture.
const FORMAT: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";

/// A system with an RPM database.
#[derive(Debug)]
pub(super) struct Rpm {
    program: PathBuf,
    root: PathBuf,
}

impl Rpm {
    /// `None` where there is no database.
    pub(super) fn find(root: &Path) -> Option<Rpm> {
        let exists = DIRECTORIES.iter().any(|directory| {
            DATABASES.iter().any(|name| root.join(directory).join(name).is_file())
        });
        exists.then(|| Rpm { program: PathBuf::from("rpm"), root: root.to_owned() })
    }

    /// The package that owns the file at `path`, an absolute path below the root.
    pub(super) fn owner(&self, path: &Path) -> Option<Owner> {
        let inside = Path::new("/").join(path.strip_prefix(&self.root).ok()?);
        let output = Command::new(&self.program)
            .env("LC_ALL", "C")
            .arg("--root")
            .arg(&self.root)
            .args(["-qf", "--qf", FORMAT, "--"])
            .arg(inside)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        // "file ... is not owned by any package" comes on stdout too, with a failure status.
        if !output.status.success() {
            return None;
        }
        parse(&String::from_utf8_lossy(&output.stdout))
    }
}

fn parse(text: &str) -> Option<Owner> {
    let fields: Vec<&str> = text.lines().next()?.split('\t').collect();
    let [name, epoch, version, architecture] = fields[..] else { return None };
    let version = if epoch == "0" { version.to_owned() } else { format!("{epoch}:{version}") };
    let architecture = (architecture != "(none)").then(|| architecture.to_owned());
    Some(Owner { name: name.to_owned(), version, architecture })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn answers_of_rpm_are_understood() {
        let owner = parse("postfix\t2\t3.8.1-5.fc39\tx86_64\nother\t0\t1-1\tnoarch\n").unwrap();
        assert_eq!((owner.name.as_str(), owner.version.as_str()), ("postfix", "2:3.8.1-5.fc39"));
        assert_eq!(parse("glibc\t0\t2.38-1\tx86_64\n").unwrap().version, "2.38-1");
        assert_eq!(parse("file /x is not owned by any package\n"), None);
        assert_eq!(parse(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn rpm_is_asked_about_the_path_within_the_root() {
        let root = tempfile::tempdir().unwrap();
        assert!(Rpm::find(root.path()).is_none());
        std::fs::create_dir_all(root.path().join("var/lib/rpm")).unwrap();
        std::fs::write(root.path().join("var/lib/rpm/rpmdb.sqlite"), "").unwrap();
        let mut rpm = Rpm::find(root.path()).unwrap();
        // A file of the repository, because one just written may still be open for writing in
        // a process that another test started meanwhile, and then cannot be run.
        rpm.program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/fake-rpm.sh");
        let version = |path: &str| rpm.owner(&root.path().join(path)).map(|owner| owner.version);
        assert_eq!(version("usr/sbin/smtpd").as_deref(), Some("1-2"));
        assert_eq!(version("usr/sbin/other"), None);
    }
}
