//! One fix as JSON: everything that the format can state is there, under documented names.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use unfreed::fixes::Catalogue;

use crate::documented::{documented, paths};

/// Every key of the format, so that every field has something to show.
const FIX: &str = r#"id = "X"
title = "T"
kind = "heap"
symptom = "S"
cause = "C"
applies_to = ["A"]
unknowns = ["U"]
conditions = [
    "only the reader knows",
    { says = "a", check = { module = "m.dll" }, ask = "look" },
    { says = "b", check = { product = "P" } },
    { says = "c", check = { setting = { name = "N", values = ["1"] } } },
]

[[sources]]
title = "Notes"
url = "https://example.org"
revision = "1"
read = "full"

[signature]
evidence = "accumulation"
processes = ["p.exe"]
modules = { any = ["m.dll"], at = "path" }
frames = [{ any = ["f"], module = "m.dll", at = "blame" }, { any = ["g"] }]
ordered = true
absent = ["h"]
allocators = ["malloc"]
bytes = { min = 1, max = 2, per = "allocation" }
blocks = { min = 0.5, max = 1.0, per = "call" }
amounts = [{ what = "heap", count = 1, per = "logon" }]
inferred = "so"

[crash]
exceptions = [0xc0000005]
processes = ["p.exe"]
modules = ["m.dll"]
says = "There."

[faulty]
process = "q.exe"
module = "m.dll"
functions = ["f"]
says = "There."

[[lines]]
product = "P"
scheme = "windows"
platform = "Windows 2000"
levels = ["SP1"]
fixed_level = "SP2"

[[lines.files]]
name = "m.dll"
line = "1"
affected = { from = "not stated", seen_from = "1.1", before = "1.2" }
fixed = "1.2"
provenance = "article"
fixed_size = 7
affected_builds = ["aa"]
fixed_builds = ["bb"]

[[lines]]
product = "P on Debian"
scheme = "debian"
distribution = "debian 12"
levels = ["SP1"]

[[lines.files]]
name = "libm.so"
affected = { from = "1.0-1", through = "1.2-1" }
fixed = "not stated"
provenance = "release"
affected_builds = ["cc"]
fixed_builds = ["dd"]

[[settings]]
name = "N"
on = "1"
off = ["0"]
absent_is_off = true
read = "read N"
set = "set N"

[[prerequisites]]
what = "SP1"
see = "Notes"

[restart]
computer = "no"
services = ["s"]
clears_symptom = "yes"
says = "Nothing restarts."

[remedy]
kind = "hotfix"
version = "1.2"
from = "there"
steps = ["Install it."]
limits = ["Not that."]
verify = ["Look."]

[backports]
says = "B"
check = ["look"]
references = ["bug-1"]

[[relations]]
kind = "sibling"
id = "Y"
says = "The same."
"#;

#[test]
fn every_field_of_a_fix_is_documented_and_no_other() {
    let fix = Catalogue::parse_entry(FIX, Path::new("X.toml")).unwrap();
    let value = serde_json::to_value(&fix).unwrap();
    let mut all = BTreeSet::new();
    paths(&value, "", &mut all);
    assert_eq!(documented("Fix"), all);
    for (at, expected) in [
        ("/crash/exceptions/0", "0xc0000005"),
        ("/lines/0/fixed_level", "SP2"),
        ("/lines/0/files/0/seen_from", "1.1"),
        ("/lines/0/files/0/before", "1.2"),
        ("/lines/1/files/0/through", "1.2-1"),
        ("/conditions/2/check/product", "P"),
        ("/restart/computer", "no"),
    ] {
        assert_eq!(value.pointer(at).and_then(Value::as_str), Some(expected), "{at}");
    }
}
