//! Programs recorded by Debian's own heaptrack: unfreed's counts are heaptrack's, and its verdicts are right.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::made::{gzip, zstd as packed};
use crate::support::programs;
use crate::{functions, read, support};

/// What names the frames of a raw file: heaptrack 1.4 has no option for it.
const INTERPRETER: &str = "/usr/lib/heaptrack/libexec/heaptrack_interpret";
const ROUNDS: u64 = 3000;

/// One run of `keeps.c`, as a raw and as an interpreted file.
struct Recorded {
    home: TempDir,
    raw: PathBuf,
    interpreted: PathBuf,
}

fn tool(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// The file that heaptrack made of this name: its ending depends on how it was built.
fn made(home: &Path, name: &str) -> PathBuf {
    let found = [".zst", ".gz"].map(|ending| home.join(format!("{name}{ending}")));
    found.into_iter().find(|path| path.exists()).expect("what heaptrack recorded")
}

fn record() -> Recorded {
    let home = tempfile::tempdir().unwrap();
    let output = home.path().join("keeps");
    let mut command = Command::new("heaptrack");
    command.arg("--raw").arg("-o").arg(&output).arg(programs::c("keeps")).arg(ROUNDS.to_string());
    tool(&mut command);
    let raw = made(home.path(), "keeps.raw");
    let plain = home.path().join("keeps.plain");
    fs::write(&plain, unpacked(&raw)).unwrap();
    let named = tool_bytes(Command::new(INTERPRETER).stdin(File::open(&plain).unwrap()));
    let interpreted = home.path().join("keeps.gz");
    fs::write(&interpreted, gzip(&named)).unwrap();
    Recorded { home, raw, interpreted }
}

/// What heaptrack_print says: a number for each stack, by its functions from the outermost on.
fn printed(file: &Path, what: &str) -> BTreeMap<String, u64> {
    let flames = file.with_extension("flames");
    let mut command = Command::new("heaptrack_print");
    command.arg("-f").arg(file).arg("-F").arg(&flames).args(["--flamegraph-cost-type", what]);
    tool(command.arg("--disable-builtin-suppressions"));
    let text = fs::read_to_string(&flames).unwrap();
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let (stack, number) = line.rsplit_once(' ').unwrap();
        let innermost = stack.trim_end_matches(';').rsplit(';').next().unwrap();
        let function = innermost.split(" (").next().unwrap().to_owned();
        *sums.entry(function).or_default() += number.parse::<u64>().unwrap();
    }
    sums
}

/// The same as unfreed's ledger has it.
fn counted(file: &[u8]) -> [BTreeMap<String, u64>; 2] {
    let told = read(file);
    assert_eq!(told.faults, []);
    let mut sums = [BTreeMap::new(), BTreeMap::new()];
    for (_, site) in told.ledger.sites() {
        // heaptrack_print shows a frame without a name by its address.
        let innermost = told.ledger.stacks().frames(site.stack).next().unwrap();
        let Some(function) = functions(&told.ledger, innermost).into_iter().next() else {
            continue;
        };
        for (sums, number) in sums.iter_mut().zip([site.allocations, site.live_bytes]) {
            *sums.entry(function.clone()).or_default() += number;
        }
    }
    sums
}

/// The bytes in a file, however heaptrack packed it.
fn unpacked(file: &Path) -> Vec<u8> {
    let packed = fs::read(file).unwrap();
    match packed.starts_with(&[0x1f, 0x8b]) {
        true => tool_bytes(Command::new("gzip").arg("-dc").arg(file)),
        false => zstd::decode_all(&packed[..]).unwrap(),
    }
}

fn analyze(file: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.arg("analyze").arg("--json").arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn suspects(report: &Value) -> Vec<&str> {
    let suspects = report["suspects"].as_array().unwrap().iter();
    let mut functions: Vec<&str> =
        suspects.map(|suspect| suspect["function"].as_str().unwrap()).collect();
    functions.sort_unstable();
    functions
}

#[test]
fn counts_are_heaptrack_s_and_verdicts_are_right() {
    support::require!("heaptrack");
    support::require!("heaptrack_print");
    support::require!("cc");
    if !Path::new(INTERPRETER).exists() {
        support::skip!("{INTERPRETER} is not there");
    }
    let Recorded { home, raw, interpreted } = record();
    let expected = [
        ("lose", ROUNDS, ROUNDS * 40),
        ("sometimes", ROUNDS * 10, ROUNDS * 72),
        ("remember", ROUNDS, 0),
        ("hold", ROUNDS, 20 * 64),
        ("make", ROUNDS * 5, 0),
        ("start", 50, 50 * 500),
    ];
    let [allocations, leaked] = counted(&fs::read(&interpreted).unwrap());
    for (function, made, lost) in expected {
        assert_eq!(allocations[function], made, "{function}");
        if function != "remember" {
            assert_eq!(leaked[function], lost, "{function}");
        }
    }
    let named = |sums: BTreeMap<String, u64>| -> BTreeMap<String, u64> {
        sums.into_iter().filter(|(name, number)| !name.starts_with("0x") && *number > 0).collect()
    };
    assert_eq!(named(allocations), named(printed(&interpreted, "allocations")));
    assert_eq!(named(leaked), named(printed(&interpreted, "leaked")));

    let plain = unpacked(&interpreted);
    let forms = [("plain", plain.clone()), ("zstd", packed(&plain))];
    let [as_plain, as_zstd] = forms.map(|(name, bytes)| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    });
    for file in [&interpreted, &as_plain, &as_zstd, &raw] {
        let report = analyze(file);
        assert_eq!(suspects(&report), ["lose", "sometimes"], "{}: {report:#}", file.display());
        let totals = &report["totals"];
        let of = |name: &str| totals[name].as_u64().unwrap();
        let told = read(&fs::read(&interpreted).unwrap()).ledger.totals();
        assert_eq!([of("allocations"), of("frees")], [told.allocations, told.frees]);
        assert_eq!([of("live_blocks"), of("live_bytes")], [told.live_blocks, told.live_bytes.0]);
        assert_eq!(report["source"]["kind"], "heaptrack");
        assert_eq!(report["target"][0]["name"], "keeps");
        assert_eq!(report["source"]["from_start"], true);
    }
}

fn tool_bytes(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}
