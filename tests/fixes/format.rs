//! The file format: what is refused, on which line, and with which advice. And what entries
//! of later kinds can say that none of the six does yet.

use std::path::Path;

use proptest::prelude::*;
use unfreed::event::FactKind;
use unfreed::fixes::Status::{AlreadyFixed, Applies, DoesNotApply, Possible};
use unfreed::fixes::{Catalogue, CatalogueError, Problem, Status};
use unfreed_symbols::PackageManager;

use crate::suspect::{Suspect, check};

const WHOLE: &str = r#"id = "X"
title = "A plug-in leaks"
kind = "heap"
symptom = "It grows."
cause = "It forgets."
applies_to = ["X"]

[[sources]]
title = "Notes"
read = "full"

[signature]
evidence = "accumulation"
modules = { any = ["x.dll"], at = "blame" }

[[lines]]
product = "X"
scheme = "windows"

[[lines.files]]
name = "x.dll"
line = "1"
affected = { from = "1.0", before = "1.2" }
fixed = "1.2"
provenance = "article"

[remedy]
kind = "hotfix"
steps = ["Install it."]
"#;

fn problems(text: &str) -> Vec<Problem> {
    match Catalogue::parse_entry(text, Path::new("X.toml")) {
        Ok(_) => Vec::new(),
        Err(CatalogueError::Wrong(problems)) => problems,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_shortest_entry_is_one() {
    assert_eq!(problems(WHOLE), []);
}

/// Replaces one text in the whole entry and expects one problem on this line that says this.
fn refused(from: &str, to: &str, line: usize, says: &str) {
    let text = WHOLE.replacen(from, to, 1);
    assert_ne!(text, WHOLE, "`{from}` is in the entry");
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{from} -> {to}: {found:#?}");
    assert_eq!(found[0].line, Some(line), "{from} -> {to}: {}", found[0]);
    assert!(found[0].text.contains(says), "{from} -> {to}: {}", found[0]);
}

#[test]
fn the_oldest_version_that_was_seen_to_have_a_fault_stands_for_no_older_one() {
    let seen = |range: &str| WHOLE.replacen(r#"from = "1.0", before = "1.2""#, range, 1);
    let text = seen(r#"from = "not stated", seen_from = "1.1", before = "1.2""#);
    let entry = Catalogue::parse_entry(&text, Path::new("X.toml")).unwrap();
    let mut catalogue = Catalogue::default();
    catalogue.insert(entry);
    for (version, status) in [("1.0", Possible), ("1.1", Applies), ("1.2", AlreadyFixed)] {
        let suspect = Suspect::accumulating("x.exe").module("x.dll", version).blame("x.dll", "f");
        check(&catalogue, &suspect, "X", status);
    }
    let line = WHOLE.lines().position(|line| line.starts_with("affected")).map(|at| at + 1);
    for (range, says) in [
        (r#"from = "1.0", seen_from = "1.1", before = "1.2""#, "goes with `from = \"not stated\"`"),
        (
            r#"from = "not stated", seen_from = "not stated", before = "1.2""#,
            "goes with `from = \"not stated\"`",
        ),
        (r#"from = "not stated", seen_from = "1.1", before = "not stated""#, "a stated end"),
        (r#"from = "not stated", seen_from = "1.3", before = "1.2""#, "1.3 comes after 1.2"),
        (r#"from = "not stated", seen_from = "2.0", before = "1.2""#, "is not of this file's line"),
    ] {
        let found = problems(&seen(range));
        assert!(found.iter().any(|problem| problem.text.contains(says)), "{range}: {found:#?}");
        assert!(found.iter().all(|problem| problem.line == line), "{range}: {found:#?}");
    }
}

#[test]
fn a_crash_that_no_dump_can_be_held_against_is_refused() {
    let says = "no dump is held against an entry without a `[crash]` table";
    refused(r#"evidence = "accumulation""#, r#"evidence = "crash""#, 13, says);
    let knowledge = WHOLE.replacen(r#"evidence = "accumulation""#, r#"evidence = "untraced""#, 1);
    assert_eq!(problems(&knowledge), []);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_would_be_right() {
    refused("title = ", "titel = ", 2, "unknown field `titel`");
    refused("read = \"full\"", "read = \"some\"", 10, "expected one of");
    refused("kind = \"heap\"", "kind = \"leak\"", 3, "`heap`");
    refused("kind = \"heap\"", "kind = heap", 3, "expected");
    refused("kind = \"heap\"\n", "", 1, "missing field `kind`");
    refused("id = \"X\"", "id = \"Y\"", 1, "must be called `Y.toml`");
    refused("id = \"X\"", "id = \"../X\"", 1, "letters, digits");
    refused("\"It grows.\"", "\"  \"", 4, "`symptom` is empty");
    refused("\"It grows.\"", "\"\\u001b[2J\"", 4, "control character");
    refused("[signature]", "[signature]\nsize = 3", 13, "unknown field `size`");
    refused("modules = { any = [\"x.dll\"], at = \"blame\" }\n", "", 12, "fit almost anything");
    refused("any = [\"x.dll\"]", "any = []", 14, "at least one module");
    refused("at = \"blame\" }", "at = \"blame\" }\nordered = true", 15, "two steps");
    refused(
        "at = \"blame\" }",
        "at = \"blame\" }\nbytes = { min = 9, max = 3, per = \"allocation\" }",
        15,
        "not be greater",
    );
    refused(
        "at = \"blame\" }",
        "at = \"blame\" }\nblocks = { min = nan, max = 3.0, per = \"message\" }",
        15,
        "finite",
    );
    refused("before = \"1.2\"", "before = \"one\"", 23, "`6.5.7232.18`, or `not stated`");
    refused("fixed = \"1.2\"", "fixed = \"2.2\"", 24, "not of this file's line");
    refused("from = \"1.0\"", "from = \"1.3\"", 23, "1.3 comes after 1.2");
    refused("before = \"1.2\"", "before = \"1.2\", through = \"1.1\"", 23, "either");
    refused(", before = \"1.2\"", "", 23, "either");
    refused("name = \"x.dll\"", "name = \"c:/x.dll\"", 21, "without directories");
    refused("scheme = \"windows\"", "scheme = \"windows\"\nlevels = [\"first\"]", 19, "no level");
    refused(
        "scheme = \"windows\"",
        "scheme = \"windows\"\ndistribution = \"debian 12\"",
        19,
        "belongs to",
    );
    refused("steps = [\"Install it.\"]", "steps = []", 29, "step by step");
    refused("scheme = \"windows\"", "scheme = \"pacman\"", 18, "unknown variant");
    let file = "provenance = \"article\"";
    let with = |key: &str| format!("{file}\n{key}");
    refused(file, &with("fixed_builds = [\"AB\"]"), 26, "lower-case hexadecimal");
    refused(
        file,
        &with("fixed_builds = [\"ab\"]\naffected_builds = [\"ab\"]"),
        26,
        "the fault and the fix",
    );
    let relation = |kind: &str, id: &str| {
        format!("[[relations]]\nkind = \"{kind}\"\nid = \"{id}\"\nsays = \"s\"\n\n[remedy]")
    };
    refused("[remedy]", &relation("like", "Y"), 28, "expected one of");
    refused("[remedy]", &relation("sibling", "X"), 29, "to itself");
    let condition = |text: &str| format!("applies_to = [\"X\"]\nconditions = [{text}]");
    refused("applies_to = [\"X\"]", &condition("\" \""), 7, "in a sentence");
    let none = "{ says = \"s\", check = { setting = { name = \"n\", values = [] } } }";
    refused("applies_to = [\"X\"]", &condition(none), 7, "`values`");
    refused("[remedy]", "[remedy", 27, "expected");
}

/// Where no file and no level has the fix, versions decide nothing; where one is promised, they must.
#[test]
fn only_a_remedy_without_a_version_needs_no_lines() {
    let at = WHOLE.find("[[lines]]").unwrap();
    let end = WHOLE.find("[remedy]").unwrap();
    let text = format!("{}{}", &WHOLE[..at], &WHOLE[end..]);
    let found = problems(&text);
    assert!(found[0].text.contains("at least one product line"), "{found:?}");
    for kind in ["none", "configuration", "code-change"] {
        let text = text.replace("kind = \"hotfix\"", &format!("kind = \"{kind}\""));
        assert_eq!(problems(&text), []);
        states(&text, [(leaking("1.1.0.0"), Possible), (leaking(""), Possible)]);
    }
}

#[test]
fn a_line_that_judges_nothing_is_refused() {
    let at = WHOLE.find("[[lines.files]]").unwrap();
    let end = WHOLE.find("[remedy]").unwrap();
    let text = format!("{}{}", &WHOLE[..at], &WHOLE[end..]);
    let found = problems(&text);
    assert!(found[0].text.contains("`fixed_level`"), "{found:?}");
    assert_eq!(found[0].line, Some(17));
}

fn states(text: &str, cases: impl IntoIterator<Item = (Suspect, Status)>) {
    let mut catalogue = Catalogue::default();
    catalogue.insert(Catalogue::parse_entry(text, Path::new("X.toml")).unwrap());
    for (suspect, status) in cases {
        check(&catalogue, &suspect, "X", status);
    }
}

fn leaking(version: &str) -> Suspect {
    Suspect::accumulating("x.exe").module("x.dll", version).blame("x.dll", "")
}

#[test]
fn both_ends_of_a_range_count() {
    states(
        WHOLE,
        [
            (leaking("1.0.0.0"), Applies),
            (leaking("1.1.9.9"), Applies),
            (leaking("1.2.0.0"), AlreadyFixed),
            (leaking("0.9.0.0"), DoesNotApply),
            (leaking("2.0.0.0"), DoesNotApply),
        ],
    );
    let late = WHOLE.replace("from = \"1.0\"", "from = \"1.1\"");
    states(&late, [(leaking("1.0.9.9"), DoesNotApply), (leaking("1.1.0.0"), Applies)]);
    let through = WHOLE.replace("before = \"1.2\"", "through = \"1.1\"");
    states(
        &through,
        [
            (leaking("1.1.0.0"), Applies),
            (leaking("1.1.5.0"), Possible),
            (leaking("1.2.0.0"), AlreadyFixed),
        ],
    );
    let unfixed = through.replace("fixed = \"1.2\"", "fixed = \"not stated\"");
    states(&unfixed, [(leaking("1.1.0.0"), Applies), (leaking("1.1.5.0"), DoesNotApply)]);
    let open = WHOLE
        .replace(
            "from = \"1.0\", before = \"1.2\"",
            "from = \"not stated\", before = \"not stated\"",
        )
        .replace("fixed = \"1.2\"", "fixed = \"not stated\"");
    states(&open, [(leaking("1.9.0.0"), Applies), (leaking("2.0.0.0"), DoesNotApply)]);
}

#[test]
fn a_line_is_told_by_every_number_that_it_has() {
    let dotted = WHOLE.replace("scheme = \"windows\"", "scheme = \"dotted\"");
    let first = dotted.replace("line = \"1\"", "line = \"1.0\"").replace(
        "affected = { from = \"1.0\", before = \"1.2\" }\nfixed = \"1.2\"",
        "affected = { from = \"1.0\", before = \"1.0.5\" }\nfixed = \"1.0.5\"",
    );
    states(
        &first,
        [
            (leaking("1.0.4"), Applies),
            (leaking("1"), Applies),
            (leaking("1.0.5"), AlreadyFixed),
            (leaking("1.1.0"), DoesNotApply),
        ],
    );
    // What is said of every version is not said of those that have a line of their own.
    let rest = "[[lines]]\nproduct = \"X\"\nscheme = \"dotted\"\n[[lines.files]]\nname = \"x.dll\"\n\
                affected = { from = \"not stated\", before = \"2.3\" }\nfixed = \"2.3\"\n\
                provenance = \"release\"\n\n[remedy]";
    states(
        &first.replace("[remedy]", rest),
        [
            (leaking("1.0.4"), Applies),
            (leaking("1.0.5"), AlreadyFixed),
            (leaking("1.1.0"), Applies),
            (leaking("2.3"), AlreadyFixed),
        ],
    );
}

#[test]
fn bytes_count_only_where_they_are_per_allocation() {
    let bytes = |per: &str| {
        let bytes = format!("at = \"blame\" }}\nbytes = {{ min = 40, max = 60, per = \"{per}\" }}");
        WHOLE.replacen("at = \"blame\" }", &bytes, 1)
    };
    states(
        &bytes("allocation"),
        [
            (leaking("1.1.0.0").bytes(48), Applies),
            (leaking("1.1.0.0").bytes(4096), DoesNotApply),
            (leaking("1.1.0.0"), Applies),
        ],
    );
    states(&bytes("logon"), [(leaking("1.1.0.0").bytes(4096), Applies)]);
}

#[test]
fn each_product_line_has_its_own_fix() {
    let second = "[[lines]]\nproduct = \"X 2\"\nscheme = \"windows\"\n[[lines.files]]\nname = \"x.dll\"\n\
                  line = \"2\"\naffected = { from = \"not stated\", before = \"2.4\" }\nfixed = \"2.4\"\n\
                  provenance = \"rollup\"\n\n[remedy]";
    states(
        &WHOLE.replace("[remedy]", second),
        [
            (leaking("1.1.0.0"), Applies),
            (leaking("1.2.0.0"), AlreadyFixed),
            (leaking("2.3.0.0"), Applies),
            (leaking("2.4.0.0"), AlreadyFixed),
            (leaking("3.0.0.0"), DoesNotApply),
            (leaking(""), Possible),
        ],
    );
}

#[test]
fn an_entry_may_say_more_about_a_distribution() {
    let upstream = WHOLE.replace("scheme = \"windows\"", "scheme = \"dotted\"");
    let debian = "[[lines]]\nproduct = \"X in Debian 12\"\nscheme = \"debian\"\ndistribution = \"debian 12\"\n\
                  [[lines.files]]\nname = \"x.dll\"\naffected = { from = \"not stated\", before = \"1.1-1+deb12u2\" }\n\
                  fixed = \"1.1-1+deb12u2\"\nprovenance = \"article\"\n\n[remedy]";
    let owned = |version, of| leaking("").package(PackageManager::Dpkg, version, of);
    states(
        &upstream.replace("[remedy]", debian),
        [
            (owned("1.1-1+deb12u1", Some("debian 12")), Applies),
            (owned("1.1-1+deb12u2", Some("debian 12")), AlreadyFixed),
            (owned("1.1-1+deb12u2", Some("ubuntu 24.04")), Possible),
            (owned("1.1-1+deb12u2", None), Possible),
            (leaking("1.1"), Applies),
        ],
    );
}

#[test]
fn a_setting_may_be_silent_about_absence() {
    let setting = "[[settings]]\nname = \"x.conf/clean\"\non = \"yes\"\noff = [\"no\"]\nread = \"r\"\nset = \"s\"\n\n[remedy]";
    let fixed = |value| leaking("1.2.0.0").fact(FactKind::Setting, "x.conf/clean", value);
    states(
        &WHOLE.replace("[remedy]", setting),
        [
            (fixed(None), Possible),
            (fixed(Some("Yes")), AlreadyFixed),
            (fixed(Some("no")), Status::SwitchMissing),
            (fixed(Some("perhaps")), Possible),
        ],
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,200}") {
        let _ = problems(&text);
    }

    /// Damaged entries reach the checks behind the parser, which noise seldom does.
    #[test]
    fn no_damaged_entry_makes_the_loader_panic(
        at in 0..WHOLE.len(),
        length in 0usize..20,
        by in "[\\PC\n\"\\[\\]={}.0-9]{0,12}",
    ) {
        let start = WHOLE.floor_char_boundary(at);
        let end = WHOLE.floor_char_boundary((at + length).min(WHOLE.len()));
        let text = format!("{}{by}{}", &WHOLE[..start], &WHOLE[end..]);
        for problem in problems(&text) {
            prop_assert!(problem.line.is_none_or(|line| line <= text.lines().count() + 1));
            prop_assert!(!problem.text.is_empty());
        }
    }
}

#[test]
fn a_rollup_is_an_upper_bound() {
    let rollup = WHOLE
        .replace("before = \"1.2\"", "before = \"not stated\"")
        .replace("provenance = \"article\"", "provenance = \"rollup\"");
    states(
        &rollup,
        [
            (leaking("1.1.0.0"), Possible),
            (leaking("1.2.0.0"), AlreadyFixed),
            (leaking("0.9.0.0"), DoesNotApply),
        ],
    );
}

#[test]
fn a_build_id_tells_more_than_a_version() {
    let builds = WHOLE.replace(
        "provenance = \"article\"",
        "provenance = \"article\"\naffected_builds = [\"aa11\"]\nfixed_builds = [\"bb22\"]",
    );
    states(
        &builds,
        [
            (leaking("1.1.0.0").build_id("bb22"), AlreadyFixed),
            (leaking("1.2.0.0").build_id("aa11"), Applies),
            (leaking("1.1.0.0").build_id("cc33"), Applies),
            (leaking("").build_id("cc33"), Possible),
            (leaking("").build_id("aa11"), Applies),
        ],
    );
}

#[test]
fn a_file_told_by_date_and_size_is_fixed_by_its_size_alone() {
    let sized = WHOLE
        .replace("before = \"1.2\"", "before = \"not stated\"")
        .replace("fixed = \"1.2\"", "fixed = \"not stated\"\nfixed_size = 184192")
        .replace("provenance = \"article\"", "provenance = \"date-and-size\"");
    states(
        &sized,
        [
            (leaking("1.1.0.0").size(184_192), AlreadyFixed),
            (leaking("1.1.0.0").size(180_000), Possible),
            (leaking("1.1.0.0"), Possible),
        ],
    );
}

#[test]
fn conditions_are_checked_where_they_can_be() {
    let with = |condition: &str| {
        WHOLE.replace(
            "applies_to = [\"X\"]",
            &format!("applies_to = [\"X\"]\nconditions = [\"Ask me.\", {condition}]"),
        )
    };
    let setting = "{ says = \"Backup runs.\", check = { setting = { name = \"x/backup\", values = [\"1\"] } } }";
    let fact = |value| leaking("1.1.0.0").fact(FactKind::Setting, "x/backup", value);
    states(
        &with(setting),
        [
            (leaking("1.1.0.0"), Applies),
            (fact(Some("0x1")), Applies),
            (fact(None), Applies),
            (fact(Some("0")), DoesNotApply),
        ],
    );
    let product =
        "{ says = \"On Windows 2000.\", check = { product = \"Windows 2000\" }, ask = \"ver\" }";
    let on = |name| leaking("1.1.0.0").product(name, "SP1");
    states(
        &with(product),
        [
            (on("Microsoft Windows 2000"), Applies),
            (on("Windows 2003"), DoesNotApply),
            (on("Exchange Server 5.5"), Applies),
            (leaking("1.1.0.0").fact(FactKind::Product, "Windows 2000", None), DoesNotApply),
        ],
    );
    // That a module is not mapped now proves nothing.
    let module = "{ says = \"Y is loaded.\", check = { module = \"y.dll\" } }";
    states(&with(module), [(leaking("1.1.0.0"), Applies)]);
}

#[test]
fn a_line_may_be_limited_to_a_platform() {
    let platform =
        WHOLE.replace("scheme = \"windows\"", "scheme = \"windows\"\nplatform = \"Windows 2000\"");
    states(
        &platform,
        [
            (leaking("1.1.0.0").product("Windows 2000", "SP1"), Applies),
            (leaking("1.1.0.0").product("Windows 2003", "SP1"), DoesNotApply),
            (leaking("1.1.0.0"), Applies),
        ],
    );
}

/// A source that tells the process alone: it accuses nobody whose version it was not written about.
#[test]
fn a_process_alone_is_never_more_than_possible() {
    let at = WHOLE.find("[[lines]]").unwrap();
    let end = WHOLE.find("[remedy]").unwrap();
    let text = format!(
        "{}[[lines]]\nproduct = \"Exchange Server 5.5\"\nscheme = \"windows\"\nlevels = [\"SP3\"]\n\
         fixed_level = \"SP4\"\n\n{}",
        &WHOLE[..at],
        &WHOLE[end..]
    )
    .replace(
        "modules = { any = [\"x.dll\"], at = \"blame\" }",
        "processes = [\"store.exe\"]\nmodules = { any = [\"store.exe\"], at = \"path\" }",
    );
    let store = |version| {
        Suspect::accumulating("Store.exe").module("Store.exe", version).blame("Store.exe", "")
    };
    states(
        &text,
        [
            // Builds of Microsoft's list: 2650 is SP3, 2653 SP4; hotfixes lie between.
            (store("5.5.2650.24"), Possible),
            (store("5.5.2652.61"), Possible),
            (store("5.5.2653.23"), DoesNotApply),
            (store("5.5.2448.8"), DoesNotApply),
            (store("6.0.6249.4"), DoesNotApply),
            (store(""), DoesNotApply),
            (store("").product("Exchange 5.5", "SP3"), Possible),
            (store("5.5.2650.24").product("Exchange 5.5", "SP4"), DoesNotApply),
            (store("5.5.2650.24").module("Mad.exe", "5.5.2653.23"), DoesNotApply),
        ],
    );
}
