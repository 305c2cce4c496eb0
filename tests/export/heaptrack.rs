//! heaptrack's form, as heaptrack_print reads it.

use super::*;

/// What heaptrack_print says of a file: a number for each innermost function.
fn printed(file: &Path, what: &str) -> BTreeMap<String, u64> {
    let flames = file.with_extension(what);
    let mut command = Command::new("heaptrack_print");
    command.arg("-f").arg(file).arg("-F").arg(&flames).args(["--flamegraph-cost-type", what]);
    let output = command.arg("--disable-builtin-suppressions").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("failed to parse"), "{said}");
    let mut sums = BTreeMap::new();
    for line in fs::read_to_string(&flames).unwrap().lines() {
        let (stack, number) = line.rsplit_once(' ').unwrap();
        let innermost = stack.trim_end_matches(';').rsplit(';').next().unwrap();
        let function = innermost.split(" (").next().unwrap().to_owned();
        *sums.entry(function).or_default() += number.parse::<u64>().unwrap();
    }
    sums
}

/// Expects that what is allocated is numbered in the order of its first allocation: heaptrack_gui 1.4 ends with a
/// segmentation fault where it is not.
fn numbered_as_allocated(exported: &Path) {
    let text = fs::read_to_string(exported).unwrap();
    let mut next = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("+ ")) {
        let number = u64::from_str_radix(line, 16).unwrap();
        assert!(number <= next, "{number} is allocated before {next}");
        next = next.max(number + 1);
    }
    assert!(next > 0, "nothing is allocated");
}

/// Expects the same sums of both tools.
fn same_sums(trace: &Path, exported: &Path) {
    numbered_as_allocated(exported);
    let totals = &analyze(trace)["totals"];
    let of = |name: &str| totals[name].as_u64().unwrap();
    let sum = |what| printed(exported, what).values().sum::<u64>();
    assert_eq!(sum("allocations"), of("allocations"));
    assert_eq!(sum("leaked"), of("live_bytes"));
    let again = &analyze(exported)["totals"];
    for name in ["allocations", "frees", "live_blocks", "live_bytes"] {
        assert_eq!(again[name], totals[name], "{name}");
    }
}

#[test]
fn heaptrack_print_opens_what_the_agent_recorded() {
    support::require!("cc");
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("keeps.unfreed");
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let [allocations, leaked] = ["allocations", "leaked"].map(|what| printed(&exported, what));
    let sum = |sums: &BTreeMap<String, u64>, function| sums.get(function).copied().unwrap_or(0);
    assert_eq!([sum(&allocations, "lose"), sum(&leaked, "lose")], [3000, 3000 * 40]);
    assert_eq!([sum(&allocations, "sometimes"), sum(&leaked, "sometimes")], [30_000, 3000 * 72]);
    assert_eq!([sum(&allocations, "make"), sum(&leaked, "make")], [15_000, 0]);
    assert_eq!(sum(&printed(&exported, "temporary"), "make"), 0, "nobody knows of any");
    // And the other way round: the verdicts are the same.
    let report = analyze(&exported);
    let suspects = report["suspects"].as_array().unwrap();
    let mut functions: Vec<&str> =
        suspects.iter().map(|suspect| suspect["function"].as_str().unwrap()).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["lose", "sometimes"], "{report:#}");
}

#[test]
fn names_and_modules_of_another_system_come_along() {
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("windows.unfreed");
    fs::write(&trace, story(1)).unwrap();
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let text = fs::read_to_string(&exported).unwrap();
    assert!(text.contains(" CMailbox::Open\n") && text.contains("Cdoexm.dll\n"), "{text}");
    assert_eq!(printed(&exported, "leaked").values().sum::<u64>(), 500 * 260);
}
