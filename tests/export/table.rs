//! The table, as a spreadsheet's reader reads it.

use super::*;

#[test]
fn no_name_ends_a_collapsed_line_or_becomes_a_formula() {
    let mut story = Synth::linux();
    let process = story.process("=cmd|' /C calc'!A0");
    story.leak(process, &["libc.so.6!malloc", "a.so!one;two\n7 9,\"x\""], 10, 3, 0.0..1.0);
    story.leak(process, &["libc.so.6!malloc", "a.so!@SUM(A1)"], 10, 2, 0.0..1.0);
    let (_home, trace) = written("hostile.unfreed", story.build());
    let collapsed = fs::read_to_string(export_as("collapsed", &trace, &[])).unwrap();
    assert_eq!(collapsed.lines().count(), 2, "{collapsed}");
    assert!(collapsed.contains(";one:two 7 9,\"x\" [a.so];"), "{collapsed}");
    let rows = read_csv(&export_as("csv", &trace, &[]));
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert_eq!(rows[0]["process"], "'=cmd|' /C calc'!A0");
    assert_eq!(rows[0]["function"], "one;two\n7 9,\"x\"");
    assert_eq!(rows[1]["function"], "'@SUM(A1)");
}

/// The lines as Python's csv module reads them, strictly.
pub fn read_csv(table: &Path) -> Vec<Value> {
    let read = "import csv, json, sys\n\
                with open(sys.argv[1], newline='', encoding='utf-8') as f:\n \
                print(json.dumps(list(csv.DictReader(f, strict=True))))";
    let output = Command::new("python3").args(["-c", read]).arg(table).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pythons_csv_module_reads_the_table() {
    support::require!("python3");
    let (_home, trace) = written("mixed.unfreed", mixed());
    let rows = read_csv(&export_as("csv", &trace, &[]));
    assert_eq!(rows.len(), 3);
    let report = analyze(&trace);
    let (row, suspect) = (&rows[0], &report["suspects"][0]);
    for (column, is) in [
        ("process", "Inetinfo.exe"),
        ("pid", "1000"),
        ("module", "Cdoexm.dll"),
        ("version", "6.0.6617.47"),
        ("function", "CMailbox::Open"),
        ("live_blocks", "500"),
        ("live_bytes", "130000"),
        ("verdict", "growth"),
    ] {
        assert_eq!(row[column], is, "{column}");
    }
    for (column, field) in
        [("confidence", "confidence"), ("growth_bytes_per_s", "growth_bytes_per_s")]
    {
        let number: f64 = row[column].as_str().unwrap().parse().unwrap();
        assert_eq!(number, suspect[field].as_f64().unwrap(), "{column}");
    }
}
