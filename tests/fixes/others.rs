//! The orders of versions, held against those of dpkg and rpm themselves.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::process::Command;

use unfreed::fixes::version::{DebianVersion, RpmVersion};

use super::versions::{DEBIAN_PAIRS, RPM_PAIRS};
use crate::support;

#[test]
fn dpkg_agrees_where_there_is_one() {
    let dpkg = support::require!("dpkg");
    for (a, order, b) in DEBIAN_PAIRS {
        let relation = match order {
            Less => "lt",
            Equal => "eq",
            Greater => "gt",
        };
        let mut command = Command::new(&dpkg);
        let status = command.args(["--compare-versions", a, relation, b]).status().unwrap();
        assert!(status.success(), "dpkg does not hold that {a} {relation} {b}");
    }
}

#[test]
fn rpm_agrees_where_there_is_one() {
    let rpm = support::require!("rpm");
    for (a, order, b) in RPM_PAIRS.iter().filter(|(a, ..)| !a.contains([':', '-'])) {
        let asked = format!("%{{lua: print(rpm.vercmp('{a}', '{b}'))}}");
        let output = Command::new(&rpm).args(["--eval", &asked]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let expected = match order {
            Less => "-1",
            Equal => "0",
            Greater => "1",
        };
        assert_eq!(said.trim(), expected, "rpm on {a} and {b}");
    }
}

/// Numbers that are the same on every run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed >> 33) % end as u64).unwrap()
    }

    /// A text of few different characters, so that two often begin alike.
    fn text(&mut self, first: &[u8], then: &[u8], most: usize) -> String {
        let mut text = String::from(char::from(first[self.below(first.len())]));
        for _ in 0..self.below(most) {
            text.push(char::from(then[self.below(then.len())]));
        }
        text
    }
}

#[test]
fn dpkg_agrees_on_random_pairs() {
    let dpkg = support::require!("dpkg");
    let mut numbers = Numbers(7);
    let mut version = || {
        let epoch = ["", "", "0:", "1:"][numbers.below(4)];
        let upstream = numbers.text(b"019", b"0019aAz.+~-", 9);
        let revision = numbers.text(b"01a~", b"01a.+~", 4);
        let revision = if numbers.below(2) == 0 { String::new() } else { format!("-{revision}") };
        format!("{epoch}{upstream}{revision}")
    };
    let mut compared = 0;
    for _ in 0..1500 {
        let (a, b) = (version(), version());
        let (Some(left), Some(right)) = (DebianVersion::parse(&a), DebianVersion::parse(&b)) else {
            continue;
        };
        let relation = match left.cmp(&right) {
            Less => "lt",
            Equal => "eq",
            Greater => "gt",
        };
        let mut command = Command::new(&dpkg);
        let output = command.args(["--compare-versions", &a, relation, &b]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "dpkg does not hold that {a} {relation} {b}: {said}");
        assert!(said.is_empty(), "dpkg finds fault with {a} or {b}: {said}");
        compared += 1;
    }
    assert!(compared > 1000, "{compared} pairs");
}

#[test]
fn rpm_agrees_on_random_pairs() {
    let rpm = support::require!("rpm");
    let mut numbers = Numbers(11);
    let ask = |asked: &str| {
        let asked = format!("%{{lua:{asked}}}");
        let output = Command::new(&rpm).args(["--eval", &asked]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Older ones compare single parts only.
    let whole = ask("print(rpm.vercmp('1:1-1', '2-2'))").trim() == "1";
    let mut version = || {
        let version = numbers.text(b"019aAz", b"0019aAz._+~^", 9);
        let epoch = ["", "", "0:", "1:"][numbers.below(4)];
        let release = numbers.text(b"019a", b"01a._+~^", 5);
        match (whole, numbers.below(3)) {
            (true, 0) => format!("{epoch}{version}-{release}"),
            (true, 1) => format!("{epoch}{version}"),
            _ => version,
        }
    };
    for _ in 0..20 {
        let pairs: Vec<_> = (0..300).map(|_| (version(), version())).collect();
        let asked: String =
            pairs.iter().map(|(a, b)| format!("print(rpm.vercmp('{a}','{b}')..' ');")).collect();
        let said = ask(&asked);
        let said: Vec<&str> = said.split_whitespace().collect();
        assert_eq!(said.len(), pairs.len(), "{said:?}");
        for ((a, b), said) in pairs.iter().zip(said) {
            let (left, right) = (RpmVersion::parse(a).unwrap(), RpmVersion::parse(b).unwrap());
            let order = match left.cmp(&right) {
                Less => "-1",
                Equal => "0",
                Greater => "1",
            };
            assert_eq!(said, order, "rpm on {a} and {b}");
        }
    }
}
