//! Fixes held against sites that ran and are no suspects: a fix that is there is said to be there,
//! and nothing else ever is, however faulty the version.

use unfreed::event::FactKind;
use unfreed::fixes::Status::{self, AlreadyFixed, DoesNotApply, Possible, SwitchMissing};
use unfreed::fixes::{Catalogue, Match, Standing, concerns, explain_dismissed, match_dismissed};
use unfreed_symbols::ModuleIdentity;

use crate::suspect::{Suspect, says};

const SETTING: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Messaging Subsystem\Applications\CleanUpMAPIHeap";

fn check(site: &Suspect, id: &str, status: Status) -> Match {
    let catalogue = Catalogue::embedded().unwrap();
    let all = explain_dismissed(&catalogue, &site.evidence(), "steady");
    assert_eq!(all.len(), catalogue.entries().len(), "nothing is left out");
    // The short way is the same, of the entries that can say anything.
    let short = match_dismissed(&catalogue, &site.evidence(), "steady");
    assert!(short.iter().all(|found| all.contains(found)));
    let left_out = all.iter().filter(|found| !short.contains(found));
    assert!(left_out.into_iter().all(|found| found.status == DoesNotApply));
    let found = all.into_iter().find(|found| found.id == id).unwrap();
    assert_eq!(found.status, status, "{id}: {:#?}", found.reasons);
    says(&found, "evidence", Standing::No, "no suspect (steady)");
    found
}

fn cdoexm(version: &str) -> Suspect {
    Suspect::accumulating("mailboxes.exe")
        .module("Cdoexm.dll", version)
        .module("mailboxes.exe", "1.0.0.0")
        .blame("Cdoexm.dll", "")
        .frame("mailboxes.exe", "main")
}

#[test]
fn only_a_fix_that_is_there_is_told() {
    let found = check(&cdoexm("6.0.6617.63"), "KB896064", AlreadyFixed);
    assert!(found.remedy.steps.is_empty(), "nothing is to be done");
    // The faulty version, and nothing accumulates: no reason to install anything.
    check(&cdoexm("6.0.6603.1"), "KB896064", DoesNotApply);
    check(&cdoexm(""), "KB896064", DoesNotApply);
    check(&cdoexm("6.5.7226.0"), "KB896064", DoesNotApply);
}

#[test]
fn a_site_of_which_too_little_is_seen_is_not_said_to_be_the_fixed_one() {
    let elsewhere = Suspect::accumulating("mailboxes.exe")
        .module("Cdoexm.dll", "6.0.6617.63")
        .module("mailboxes.exe", "1.0.0.0")
        .blame("mailboxes.exe", "main");
    check(&elsewhere, "KB896064", DoesNotApply);
    let cut =
        Suspect::accumulating("mailboxes.exe").module("Cdoexm.dll", "6.0.6617.63").cut_short();
    check(&cut, "KB896064", DoesNotApply);
}

#[test]
fn a_switch_counts_as_ever() {
    let logons = || {
        Suspect::accumulating("logons.exe")
            .module("Cdo.dll", "6.5.7232.75")
            .module("Mapi32.dll", "6.5.7232.75")
            .blame("Mapi32.dll", "MAPILogonEx")
            .frame("Cdo.dll", "")
    };
    let set = |value| logons().fact(FactKind::Setting, SETTING, value);
    check(&set(Some("1")), "KB891509", AlreadyFixed);
    check(&set(Some("0")), "KB891509", SwitchMissing);
    check(&set(None), "KB891509", SwitchMissing);
    check(&logons(), "KB891509", Possible);
}

#[test]
fn the_catalogue_knows_which_modules_it_is_about() {
    let catalogue = Catalogue::embedded().unwrap();
    let named = |name: &str| ModuleIdentity { name: name.to_owned(), ..ModuleIdentity::default() };
    for name in ["mosquitto", "CDOEXM.DLL", "Mapi32.dll"] {
        assert!(concerns(&catalogue, &named(name)), "{name}");
    }
    for name in ["libc.so.6", "ntdll.dll", "kernel32.dll", ""] {
        assert!(!concerns(&catalogue, &named(name)), "{name}");
    }
}
