//! A package that is older than upstream's fix, judged by what its changelog says of backports.

use std::path::Path;

use unfreed::fixes::Status::{self, AlreadyFixed, DoesNotApply, Possible};
use unfreed::fixes::changelog::{Changelog, Changelogs};
use unfreed::fixes::{Catalogue, Standing};
use unfreed_symbols::PackageManager::{self, Dpkg, Rpm};

use crate::suspect::{Suspect, check, says};

const ENTRY: &str = r##"id = "X"
title = "x leaks"
kind = "heap"
symptom = "It grows."
cause = "It forgets."
applies_to = ["x"]

[[sources]]
title = "Notes"
read = "full"

[signature]
evidence = "accumulation"
modules = { any = ["x"], at = "blame" }

[[lines]]
product = "X"
scheme = "dotted"

[[lines.files]]
name = "x"
affected = { from = "1.0", before = "2.0.15" }
fixed = "2.0.15"
provenance = "release"

[backports]
says = "Backports are not in the number."
check = ["the changelog"]
references = ["CVE-2021-1234", "#1028832", "5f57de21"]

[remedy]
kind = "release"
steps = ["Install it."]
"##;

const DEBIAN: &str = "\
x (2.0.11-1.3) unstable; urgency=medium

  * Fix CVE-2021-1234 at last.

 -- Some Body <somebody@example.org>  Sun, 05 Feb 2023 10:00:00 +0000

x (2.0.11-1.2) unstable; urgency=medium

  * Fix CVE-2021-12345, and close #10288321. Closes: #900000
  * Commit a5f57de21 is another.

 -- Some Body <somebody@example.org>  Sat, 04 Feb 2023 10:00:00 +0000

x (2.0.11-1) unstable; urgency=medium

  * New upstream release.

 -- Some Body <somebody@example.org>  Fri, 03 Feb 2023 10:00:00 +0000
";

const RPM_TEXT: &str = "\
* Tue Jan 03 2023 Some Body <somebody@example.org> - 2.0.14-3
- backport 5f57de21cdeb179b (plug-in topic leak)

* Mon Jan 02 2023 Some Body <somebody@example.org> 2.0.14-2
- rebuild
";

fn held(
    manager: PackageManager,
    version: &str,
    changelog: &str,
    status: Status,
) -> unfreed::fixes::Match {
    let mut catalogue = Catalogue::default();
    catalogue.insert(Catalogue::parse_entry(ENTRY, Path::new("X.toml")).unwrap());
    let mut changelogs = Changelogs::default();
    changelogs.insert("x", Changelog::parse(changelog).unwrap());
    catalogue.set_changelogs(changelogs);
    let suspect = Suspect::accumulating("x")
        .module("x", "")
        .package(manager, version, Some("debian 12"))
        .blame("x", "f");
    check(&catalogue, &suspect, "X", status)
}

#[test]
fn a_backport_that_the_changelog_names_counts() {
    let found = held(Dpkg, "2.0.11-1.3", DEBIAN, AlreadyFixed);
    says(&found, "version", Standing::No, "2.0.11-1.3 names CVE-2021-1234");
    // Only built again: the changelog is that of what it was built from.
    held(Dpkg, "2.0.11-1.3+b1", DEBIAN, AlreadyFixed);
    let found = held(Rpm, "2.0.14-3.fc36", RPM_TEXT, AlreadyFixed);
    says(&found, "version", Standing::No, "2.0.14-3 names 5f57de21");
}

#[test]
fn a_backport_that_was_taken_back_does_not_count() {
    let of = |item: &str| DEBIAN.replace("* Fix CVE-2021-1234 at last.", item);
    for item in [
        "* Revert the fix for CVE-2021-1234.",
        "* Drop CVE-2021-1234.patch,\n    which breaks the build.",
        "* CVE-2021-1234 is not fixed here.",
    ] {
        let found = held(Dpkg, "2.0.11-1.3", &of(item), Possible);
        says(&found, "version", Standing::Unknown, "names CVE-2021-1234 beside");
    }
    held(Dpkg, "2.0.11-1.3", &of("* Fix CVE-2021-1234.\n  * Drop an old patch."), AlreadyFixed);
    let both = "* Tue Jan 03 2023 A <a@b> - 2.0.14-3\n- revert 5f57de21, it crashes\n\n\
                * Mon Jan 02 2023 A <a@b> - 2.0.14-2\n- backport 5f57de21\n";
    held(Rpm, "2.0.14-3.fc36", both, Possible);
    held(Rpm, "2.0.14-2.fc36", both, AlreadyFixed);
}

#[test]
fn a_later_release_of_the_package_does_not_count() {
    let found = held(Dpkg, "2.0.11-1.2", DEBIAN, Possible);
    says(&found, "version", Standing::Unknown, "names none of CVE-2021-1234, #1028832, 5f57de21");
    held(Rpm, "2.0.14-2.fc36", RPM_TEXT, Possible);
}

#[test]
fn a_changelog_of_another_package_says_nothing() {
    let found = held(Dpkg, "2.0.11-1.2+deb12u2", DEBIAN, Possible);
    says(&found, "version", Standing::Unknown, "has no 2.0.11-1.2+deb12u2");
    held(Dpkg, "0.9-1", DEBIAN, DoesNotApply);
    held(Dpkg, "2.0.18-1", DEBIAN, AlreadyFixed);
}

#[test]
fn what_is_no_changelog_is_none() {
    for text in ["", "x\n", "x 1.0; urgency=low\n", "* Tue Jan 03 2023 Some Body\n", "é (1) a; b"]
    {
        assert_eq!(Changelog::parse(text), None, "{text}");
    }
    assert_eq!(Changelog::parse(DEBIAN).unwrap().source(), Some("x"));
    assert_eq!(Changelog::parse(RPM_TEXT).unwrap().source(), None);
}

/// As in Debian 12: the package is made from 2.0.11 and names CVE-2023-28366, which upstream fixed in 2.0.16; of the plug-in's
/// topic, fixed in 2.0.15, it says nothing.
#[test]
fn debian_s_mosquitto_has_one_backport_and_not_another() {
    let mut catalogue = Catalogue::embedded().unwrap();
    let text = "mosquitto (2.0.11-1.2+deb12u2) bookworm; urgency=medium\n\n  * Further for CVE-2023-28366.\n";
    let mut changelogs = Changelogs::default();
    changelogs.insert("mosquitto", Changelog::parse(text).unwrap());
    catalogue.set_changelogs(changelogs);
    let broker = |function: &str| {
        Suspect::accumulating("mosquitto")
            .module("mosquitto", "")
            .package(Dpkg, "2.0.11-1.2+deb12u2", Some("debian 12"))
            .blame("mosquitto", function)
            .frame("mosquitto", "handle__publish")
    };
    let found =
        check(&catalogue, &broker("db__message_insert"), "MOSQUITTO-6113eac9", AlreadyFixed);
    says(&found, "version", Standing::No, "2.0.11-1.2+deb12u2 names CVE-2023-28366");
    let found = check(&catalogue, &broker("packet__read_string"), "MOSQUITTO-5f57de21", Possible);
    says(&found, "version", Standing::Unknown, "names none of 5f57de21");
}
