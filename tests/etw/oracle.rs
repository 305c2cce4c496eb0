//! A log of ours, opened by a reader of somebody else's (PyPI's dissect.etl): the same records, in number, time, kind and
//! payload.

use std::path::Path;
use std::process::Command;

use super::*;
use unfreed::read::etl::Log as Reading;
use unfreed::read::etl::record::Provider;

/// The version of the oracle.
const ORACLE: &str = "dissect.etl==3.14";

/// Prints what the log says of itself, then a line for each record: time, processor, who, opcode, version, process, payload.
const SCRIPT: &str = r#"
import sys
from dissect.etl import ETL
with open(sys.argv[1], "rb") as file:
    log = ETL(file)
    said = log.logfile_header.header
    print(said.BuffersWritten, f"{said.MajorVersion}.{said.MinorVersion}", said.ProviderVersion,
          said.NumberOfProcessors, said.EventsLost, said.BufferLost, said.PerfFreq)
    for buffer in log.buffers():
        for record in buffer:
            header = record.header
            hooked = hasattr(header, "group")
            who = f"{header.group:02x}" if hooked else header.provider_id.bytes_le.hex()
            # It takes a full header's opcode and level for the version.
            opcode, version = (header.opcode, header.version) if hooked else (header.data[4], header.data[6])
            pid = header.process_id if hasattr(header, "process_id") else "-"
            print(header.time_delta, buffer.header.ProcessorIndex, who, opcode, version, pid,
                  bytes(header.payload).hex())
"#;

fn python(place: &Path) -> Result<std::path::PathBuf, String> {
    let python = place.join("bin/python");
    for (program, args) in [
        (Path::new("python3"), &["-m", "venv", place.to_str().unwrap()][..]),
        (&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ORACLE]),
    ] {
        let output =
            Command::new(program).args(args).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(python)
}

/// Our own reading of a log: a line for each record, in no order.
fn ours(bytes: &[u8]) -> Vec<String> {
    let mut log = Reading::seekable(Cursor::new(bytes)).unwrap();
    let mut lines = Vec::new();
    while let Some(record) = log.next().unwrap() {
        let who = match record.provider {
            Provider::Group(group) => format!("{group:02x}"),
            Provider::Guid(guid) => guid.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let time = record.time.0;
        let whose = record.process.map_or("-".to_owned(), |pid| pid.to_string());
        let payload: String = record.payload.iter().map(|byte| format!("{byte:02x}")).collect();
        let (opcode, version, processor) = (record.opcode, record.version, record.processor);
        lines.push(format!("{time} {processor} {who} {opcode} {version} {whose} {payload}"));
    }
    lines.sort();
    lines
}

#[test]
fn a_log_of_ours_is_read_by_somebody_else() {
    let place = tempfile::tempdir().unwrap();
    let python = match python(place.path()) {
        Ok(python) => python,
        Err(why) => support::skip!("{ORACLE} cannot be installed: {why}"),
    };
    // It cannot read payloads of 32-bit systems, and says so by a TypeError.
    let bytes = written(&session(Bits::B64), (5, 2));
    let path = place.path().join("ours.etl");
    std::fs::write(&path, &bytes).unwrap();
    let output = Command::new(python).arg("-c").arg(SCRIPT).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (about, records) = told.split_once('\n').unwrap();
    assert_eq!(about, format!("{} 10.0 20348 4 5 2 {HERTZ}", bytes.len() / (128 << 10)));
    let mut theirs: Vec<&str> = records.lines().collect();
    theirs.sort_unstable();
    let ours = ours(&bytes);
    assert!(ours.len() > 3000);
    for (one, other) in ours.iter().zip(&theirs) {
        assert_eq!(one, other);
    }
    assert_eq!(ours.len(), theirs.len());
}
