//! The orders of versions: total, and right for the pairs that are easily got wrong.

use std::cmp::Ordering::{self, Equal, Greater, Less};
use std::fmt::Debug;

use proptest::prelude::*;
use unfreed::fixes::version::{
    DebianVersion, DottedVersion, FileVersion, RpmVersion, SemanticVersion,
};
use unfreed::fixes::{Deduced, Level, Product};
use unfreed_symbols::ModuleIdentity;

fn pairs<V: Ord + Debug>(parse: impl Fn(&str) -> Option<V>, cases: &[(&str, Ordering, &str)]) {
    for &(a, order, b) in cases {
        let (left, right) = (parse(a).expect(a), parse(b).expect(b));
        assert_eq!(left.cmp(&right), order, "{a} {order:?} {b}");
        assert_eq!(right.cmp(&left), order.reverse(), "{b} against {a}");
        assert_eq!(left == right, order == Equal, "{a} == {b}");
    }
}

#[test]
fn file_versions_compare_by_number() {
    pairs(
        FileVersion::parse,
        &[
            ("6.5.7232.18", Less, "6.5.7232.75"),
            ("6.5.7232.9", Less, "6.5.7232.18"),
            ("6.5.7638.1", Greater, "6.5.7232.75"),
            ("6, 5, 7232, 18", Equal, "6.5.7232.18"),
            ("06.05.7232.018", Equal, "6.5.7232.18"),
            ("6.5.7232.18 (release)", Equal, " 6.5.7232.18"),
            ("10.0.0.0", Greater, "6.5.9999.9"),
            ("4294967295.0.0.0", Greater, "1.0.0.0"),
        ],
    );
    for text in ["", "a", "6..5", "6.5.7232.18.1", "6.5.x", ".6", "6.", "4294967296.0.0.0", "-1.0"]
    {
        assert_eq!(FileVersion::parse(text), None, "{text}");
    }
}

#[test]
fn a_short_file_version_decides_nothing_that_its_missing_part_would() {
    let bound = FileVersion::parse("6.5.7232.18").unwrap();
    for (text, order) in [
        ("6.5.7232", None),
        ("6.5", None),
        ("6.5.7231", Some(Less)),
        ("6.5.7233", Some(Greater)),
        ("6.5.7232.18", Some(Equal)),
        ("7", Some(Greater)),
    ] {
        assert_eq!(FileVersion::parse(text).unwrap().against(&bound), order, "{text}");
    }
    let short = FileVersion::parse("2448.7").unwrap();
    assert_eq!(FileVersion::parse("2448.7.0.0").unwrap().against(&short), Some(Equal));
    assert_eq!(FileVersion::parse("2448.7.1").unwrap().against(&short), Some(Greater));
}

/// The pairs that are easily got wrong.
pub const DEBIAN_PAIRS: [(&str, Ordering, &str); 20] = [
    ("1.0~rc1", Less, "1.0"),
    ("1.0~~", Less, "1.0~"),
    ("1.0~~a", Less, "1.0~"),
    ("1.0", Less, "1.0a"),
    ("1.0a", Less, "1.0+"),
    ("1.0+", Greater, "1.0"),
    ("1.0-1", Greater, "1.0"),
    ("1.0-1~bpo1", Less, "1.0-1"),
    ("1.0-0", Equal, "1.0"),
    ("1.0-1", Less, "1.0-1.1"),
    ("0:1.0", Equal, "1.0"),
    ("1:0.1", Greater, "9.9"),
    ("1.00", Equal, "1.0"),
    ("1.2", Less, "1.10"),
    ("1.2.3", Less, "1.2.3+dfsg"),
    ("2.0.11-1.2+deb12u1", Less, "2.0.11-1.2+deb12u2"),
    ("2.0.11-1.2", Less, "2.0.11-1.2+deb12u2"),
    ("2.0.11-1", Less, "2.0.11-1+b1"),
    ("99999999999999999999999", Less, "100000000000000000000000"),
    ("1.0-a-1", Greater, "1.0"),
];

#[test]
fn debian_versions_compare_by_the_policy() {
    pairs(DebianVersion::parse, &DEBIAN_PAIRS);
    for text in ["", "-1", "a:1", ":1", "1.0-", "1.0_1", "é", "4294967296:1", "~1", "1 0"] {
        assert_eq!(DebianVersion::parse(text), None, "{text}");
    }
}

/// The pairs of rpm's own test suite (tests/rpmvercmp.at) that are easily got wrong, and packages' whole versions.
pub const RPM_PAIRS: [(&str, Ordering, &str); 28] = [
    ("1.0", Less, "2.0"),
    ("2.0.1a", Greater, "2.0.1"),
    ("5.5p1", Less, "5.5p10"),
    ("10xyz", Less, "10.1xyz"),
    ("xyz10", Less, "xyz10.1"),
    ("xyz.4", Less, "8"),
    ("5.5p2", Less, "5.6p1"),
    ("6.0.rc1", Greater, "6.0"),
    ("10b2", Greater, "10a1"),
    ("1.0aa", Greater, "1.0a"),
    ("10.0001", Equal, "10.1"),
    ("10.0001", Less, "10.0039"),
    ("4.999.9", Less, "5.0"),
    ("20101121", Less, "20101122"),
    ("2_0", Equal, "2.0"),
    ("a+", Equal, "a_"),
    ("1.0~rc1", Less, "1.0"),
    ("1.0~rc1", Less, "1.0~rc2"),
    ("1.0~rc1~git123", Less, "1.0~rc1"),
    ("1.0^", Greater, "1.0"),
    ("1.0^git1", Less, "1.0^git2"),
    ("1.0^git1", Less, "1.01"),
    ("1.0^20160101", Less, "1.0.1"),
    ("1.0~rc1^git1", Greater, "1.0~rc1"),
    ("1.0^git1~pre", Less, "1.0^git1"),
    ("1:0.1-1", Greater, "9.9-1"),
    ("2.0.14-3.fc36", Less, "2.0.14-10.fc36"),
    ("0:1.0-1", Equal, "1.0-1"),
];

#[test]
fn rpm_versions_compare_as_rpm_does() {
    pairs(RpmVersion::parse, &RPM_PAIRS);
    for text in ["", "-1", "1-", "a:1", "1.0-1-2", "1 0", "é", "4294967296:1"] {
        assert_eq!(RpmVersion::parse(text), None, "{text}");
    }
    for (version, upstream) in
        [("2.0.14-3.fc36", "2.0.14"), ("1:2.0.11~rc1-1", "2.0.11~rc1"), ("2.0", "2.0")]
    {
        assert_eq!(RpmVersion::parse(version).unwrap().upstream(), upstream);
    }
}

/// The examples of semver.org 2.0.0, sections 11.2 to 11.4.
#[test]
fn semantic_versions_compare_by_the_specification() {
    pairs(
        SemanticVersion::parse,
        &[
            ("1.0.0", Less, "2.0.0"),
            ("2.0.0", Less, "2.1.0"),
            ("2.1.0", Less, "2.1.1"),
            ("1.0.0-alpha", Less, "1.0.0"),
            ("1.0.0-alpha", Less, "1.0.0-alpha.1"),
            ("1.0.0-alpha.1", Less, "1.0.0-alpha.beta"),
            ("1.0.0-alpha.beta", Less, "1.0.0-beta"),
            ("1.0.0-beta", Less, "1.0.0-beta.2"),
            ("1.0.0-beta.2", Less, "1.0.0-beta.11"),
            ("1.0.0-beta.11", Less, "1.0.0-rc.1"),
            ("1.0.0-rc.1", Less, "1.0.0"),
            ("1.0.0+build5", Equal, "1.0.0"),
            ("v1.2.3", Equal, "1.2.3"),
            ("1.0.0-rc10", Less, "1.0.0-rc9"),
        ],
    );
    for text in ["", "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0.0", "one"] {
        assert_eq!(SemanticVersion::parse(text), None, "{text}");
    }
}

#[test]
fn a_debian_version_tells_the_release_it_was_made_from() {
    for (version, upstream) in [
        ("2.0.11-1.2+deb12u2", "2.0.11"),
        ("1:2.0.11+dfsg1-3", "2.0.11"),
        ("2.0.15~rc1-1", "2.0.15~rc1"),
        ("2.0.20+really2.0.14-1", "2.0.14"),
        ("1.2.3~dfsg+1-1", "1.2.3"),
        ("2.0.14", "2.0.14"),
    ] {
        assert_eq!(DebianVersion::parse(version).unwrap().upstream(), upstream);
    }
}

#[test]
fn releases_compare_as_their_makers_mean_them() {
    pairs(
        DottedVersion::parse,
        &[
            ("2.0.9", Less, "2.0.15"),
            ("2.0", Equal, "2.0.0"),
            ("v2.0.15", Equal, "2.0.15"),
            ("2.0.15-rc1", Less, "2.0.15"),
            ("2.0.15rc1", Equal, "2.0.15-rc1"),
            ("2.0.15~rc1", Less, "2.0.15"),
            ("2.1.0-rc9", Less, "2.1.0-rc10"),
            ("2.1.0-alpha", Less, "2.1.0-beta"),
            ("1.0.0-alpha", Less, "1.0.0-alpha.1"),
            ("1.0.2k", Greater, "1.0.2"),
            ("1.0.2k", Less, "1.0.2l"),
            ("1.0.2z", Less, "1.0.3"),
            ("1.0.0+build5", Equal, "1.0.0"),
            ("0", Less, "0.0.1"),
        ],
    );
    for text in [
        "",
        "v",
        "x1",
        "2.0.15-1",
        "2.0.15-acme",
        "1..2",
        "1.2.3.",
        "99999999999999999999",
        "1.0-é",
    ] {
        assert_eq!(DottedVersion::parse(text), None, "{text}");
    }
}

/// Reflexive, antisymmetric, transitive, and equal exactly where `==` says so.
fn total<V: Ord + Debug>(a: &V, b: &V, c: &V) {
    assert_eq!(a.cmp(a), Equal);
    assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a:?} {b:?}");
    assert_eq!(a == b, a.cmp(b) == Equal, "{a:?} {b:?}");
    if a <= b && b <= c {
        assert!(a <= c, "{a:?} {b:?} {c:?}");
    }
}

/// Texts of few different characters, so that versions share beginnings.
const DEBIAN: &str = "(1:)?[01][01a.+~-]{0,6}[01a+~]";
const RPM: &str = "(1:)?[01a][01a._~^+]{0,7}(-[01a][01a.~^]{0,2})?";
const SEMVER: &str = "[0-2]\\.[0-2]\\.[0-2](-(rc|alpha|[0-2])(\\.(beta|[0-2])){0,2})?(\\+[a-c])?";
const DOTTED: &str = "v?[0-2](\\.[0-2]){0,3}(-?(rc|beta|alpha)[.]?[0-2]{0,2}|[ab])?";

proptest! {
    #[test]
    fn file_versions_are_totally_ordered(texts in prop::array::uniform3("[0-2](\\.[0-2]){0,3}")) {
        let [a, b, c] = texts.map(|text| FileVersion::parse(&text).unwrap());
        total(&a, &b, &c);
        prop_assert_eq!(FileVersion::parse(&a.to_string()), Some(a));
        // What holding against a bound decides, the order does not contradict.
        if let Some(order) = a.against(&b) && a.parts().len() == 4 && b.parts().len() == 4 {
            prop_assert_eq!(order, a.cmp(&b));
        }
    }

    #[test]
    fn debian_versions_are_totally_ordered(texts in prop::array::uniform3(DEBIAN)) {
        if let [Some(a), Some(b), Some(c)] = texts.map(|text| DebianVersion::parse(&text)) {
            total(&a, &b, &c);
        }
    }

    #[test]
    fn rpm_versions_are_totally_ordered(texts in prop::array::uniform3(RPM)) {
        if let [Some(a), Some(b), Some(c)] = texts.map(|text| RpmVersion::parse(&text)) {
            total(&a, &b, &c);
        }
    }

    #[test]
    fn semantic_versions_are_totally_ordered(texts in prop::array::uniform3(SEMVER)) {
        let [a, b, c] = texts.map(|text| SemanticVersion::parse(&text).unwrap());
        total(&a, &b, &c);
    }

    #[test]
    fn releases_are_totally_ordered(texts in prop::array::uniform3(DOTTED)) {
        let [a, b, c] = texts.map(|text| DottedVersion::parse(&text));
        if let (Some(a), Some(b), Some(c)) = (a, b, c) {
            total(&a, &b, &c);
        }
    }

    #[test]
    fn no_text_makes_a_version_panic(text in "\\PC{0,40}") {
        let _ = FileVersion::parse(&text);
        let _ = DottedVersion::parse(&text);
        let _ = RpmVersion::parse(&text);
        let _ = SemanticVersion::parse(&text);
        if let Some(version) = DebianVersion::parse(&text) {
            let _ = version.upstream();
        }
        let _ = Level::parse(&text);
        let _ = Product::parse(&text);
    }
}

#[test]
fn a_build_tells_no_level_where_sources_differ() {
    for (name, version, told) in [
        ("Store.exe", "5.5.2232.9", Some(("5.5", Some(1)))),
        ("Store.exe", "5.5.2447.0", Some(("5.5", Some(1)))),
        ("Store.exe", "5.5.2448.7", Some(("5.5", None))),
        ("Store.exe", "5.5.2448", Some(("5.5", None))),
        ("Store.exe", "5.5.2448.8", Some(("5.5", Some(2)))),
        ("Store.exe", "5.5.2653.23", Some(("5.5", Some(4)))),
        ("Store.exe", "4.0.993.32", Some(("4.0", None))),
        ("Store.exe", "6.0.6617.63", Some(("2000", Some(3)))),
        ("Exsmtp.dll", "6.5.7233.31", Some(("2003", Some(1)))),
        ("Store.exe", "6.5.1.0", None),
        ("Store.exe", "8.0.685.25", None),
        ("Cdo.dll", "6.5.7233.31", None),
    ] {
        let module = ModuleIdentity {
            name: name.to_owned(),
            file_version: Some(version.to_owned()),
            ..ModuleIdentity::default()
        };
        let deduced = Deduced::of(&module);
        let seen = deduced.as_ref().map(|deduced| (deduced.product, deduced.level));
        let told =
            told.map(|(number, level)| (format!("Exchange Server {number}"), level.map(Level)));
        assert_eq!(seen, told.as_ref().map(|(name, level)| (name.as_str(), *level)), "{version}");
    }
}

#[test]
fn levels_and_products_are_read_in_every_spelling() {
    for (text, level) in [
        ("SP4", Some(4)),
        ("sp-1", Some(1)),
        ("SP 2", Some(2)),
        ("Service Pack 3", Some(3)),
        ("5.5 SP3", Some(3)),
        ("RTM", Some(0)),
        ("no service pack", Some(0)),
        ("SP", None),
        ("", None),
        ("6.5.7226.0", None),
    ] {
        assert_eq!(Level::parse(text), level.map(Level), "{text}");
    }
    let same = |a: &str, b: &str| Product::parse(a) == Product::parse(b);
    assert!(same("Microsoft Exchange 2000 Server", "Exchange Server 2000"));
    assert!(same("Exchange Server 2003 Enterprise Edition", "exchange 2003"));
    assert!(same("Eclipse Mosquitto", "mosquitto"));
    assert!(!same("Exchange Server 5.5", "Exchange Server 5.0"));
    assert!(Product::parse("Exchange 5.5").is_sibling_of(&Product::parse("Exchange 2003")));
    assert!(!Product::parse("Outlook 2000").is_sibling_of(&Product::parse("Exchange 2000")));
}
