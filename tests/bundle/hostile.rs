//! Archives that somebody made or changed: what can be read is read, and nothing is believed or unpacked out of proportion.

use super::*;

#[test]
fn other_archives_and_changed_cases_are_told() {
    support::require!("python3");
    let (home, trace) = written(&story().build());
    let case = case(&trace, &[]);
    // Packed again by another program, in another order.
    let again = home.path().join("again.zip");
    let pack = "import sys, zipfile\n\
                old = zipfile.ZipFile(sys.argv[1])\n\
                with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as new:\n \
                [new.writestr(n, old.read(n)) for n in reversed(old.namelist())]";
    let packed = Command::new("python3").args(["-c", pack]).args([&case, &again]).status();
    assert!(packed.unwrap().success());
    assert_eq!(analyze(&again)["suspects"], analyze(&case)["suspects"]);
    let write = |parts: &BTreeMap<String, Vec<u8>>| {
        let mut zip = zip::ZipWriter::new(File::create(&again).unwrap());
        for (name, bytes) in parts {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    };
    let mut parts = unpacked(&case);
    let other = parts["trace.unfreed"].len() / 2;
    parts.get_mut("trace.unfreed").unwrap()[other] ^= 1;
    write(&parts);
    let faults = analyze(&again)["faults"].to_string();
    assert!(faults.contains("changed or damaged"), "{faults}");
    parts.remove("manifest.json");
    write(&parts);
    let failed = unfreed(&["analyze", plain(&again)]);
    let said = unwrapped(&String::from_utf8_lossy(&failed.stderr));
    assert!(failed.status.code() == Some(2) && said.contains("no case of unfreed"), "{said}");
    let cut = &fs::read(&case).unwrap()[..2000];
    fs::write(&again, cut).unwrap();
    assert_eq!(unfreed(&["analyze", plain(&again)]).status.code(), Some(2));
}

/// An archive with a manifest that says this of its trace.
fn forged(to: &Path, trace: &[u8], size: u64, more: &[(&str, &[u8])]) {
    let method = zip::CompressionMethod::Deflated;
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let part = serde_json::json!({"name": "trace.unfreed", "size": size, "sha256": sha256(trace)});
    let manifest = serde_json::json!({"format": "unfreed-case", "schema": 1, "parts": [part]});
    let manifest = manifest.to_string();
    let mut zip = zip::ZipWriter::new(File::create(to).unwrap());
    let parts = [("manifest.json", manifest.as_bytes()), ("trace.unfreed", trace)];
    for (name, bytes) in parts.iter().chain(more) {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Expects a refusal that says this.
#[track_caller]
fn refused(archive: &Path, says: &str) {
    let failed = unfreed(&["analyze", plain(archive)]);
    let said = unwrapped(&String::from_utf8_lossy(&failed.stderr));
    assert!(failed.status.code() == Some(2) && said.contains(says), "{says}: {said}");
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let home = tempfile::tempdir().unwrap();
    let bomb = home.path().join("bomb.zip");
    let zeros = vec![0; 64 << 20];
    forged(&bomb, &zeros, zeros.len() as u64, &[]);
    assert!(fs::metadata(&bomb).unwrap().len() < 1 << 20);
    refused(&bomb, "cannot have a trace of 67108864 in it");
    // One that says less of itself is not unpacked further than that.
    forged(&bomb, &zeros, 1 << 10, &[]);
    refused(&bomb, "unfreed");
    // Nor is a manifest that is nothing but blanks.
    let mut zip = zip::ZipWriter::new(File::create(&bomb).unwrap());
    zip.start_file("manifest.json", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&vec![b' '; 64 << 20]).unwrap();
    zip.finish().unwrap();
    refused(&bomb, "no case of unfreed");
}

#[test]
fn sizes_and_sums_that_lie_are_told() {
    let home = tempfile::tempdir().unwrap();
    let forgery = home.path().join("forged.zip");
    let trace = story().build();
    let size = trace.len() as u64;
    forged(&forgery, &trace, size, &[]);
    assert_eq!(analyze(&forgery)["faults"], serde_json::json!([]));
    for lie in [size - 100, size + 100] {
        forged(&forgery, &trace, lie, &[]);
        let faults = analyze(&forgery)["faults"].to_string();
        assert!(faults.contains("changed or damaged"), "{lie}: {faults}");
    }
}

#[test]
fn two_parts_of_one_name_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let twice = home.path().join("twice.zip");
    let trace = story().build();
    forged(&twice, &trace, trace.len() as u64, &[("xrace.unfreed", b"another")]);
    // The writer refuses to make one: so a name is changed in what it made.
    let mut bytes = fs::read(&twice).unwrap();
    let places: Vec<usize> = bytes
        .windows(13)
        .enumerate()
        .filter(|(_, name)| name == b"xrace.unfreed")
        .map(|at| at.0)
        .collect();
    assert_eq!(places.len(), 2, "in the local header and in the directory");
    places.iter().for_each(|at| bytes[*at] = b't');
    fs::write(&twice, bytes).unwrap();
    refused(&twice, "two parts of one name");
}

#[test]
fn names_that_lead_out_of_a_directory_lead_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let inner = home.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let archive = inner.join("case.zip");
    let trace = story().build();
    let paths: [(&str, &[u8]); 3] =
        [("../escaped", b"x"), ("/tmp/../escaped", b"x"), ("..\\escaped", b"x")];
    forged(&archive, &trace, trace.len() as u64, &paths);
    assert_eq!(analyze(&archive)["suspects"].as_array().unwrap().len(), 1);
    assert!(!home.path().join("escaped").exists());
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing is unpacked beside it");
    // And what we write has no such name, whatever the recording was called.
    let odd = inner.join("..\\..\\C:evil\n.unfreed");
    fs::write(&odd, &trace).unwrap();
    let parts = unpacked(&case(&odd, &["--with-originals"]));
    let original = parts.keys().find(|name| name.starts_with("originals/")).unwrap();
    assert_eq!(original, "originals/1-.._.._C_evil_.unfreed");
}
