#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use super::*;

#[path = "../../../tests/support/skip.rs"]
mod skip;

#[test]
fn what_is_not_done_has_no_name_and_what_is_done_replaces() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("r.html");
    let names = || -> Vec<_> {
        let entries = fs::read_dir(home.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let mut aside = Aside::create(Some(&path)).unwrap();
    aside.file().write_all(b"half").unwrap();
    // Whoever is killed here leaves nothing, as far as the file system has files without names.
    match aside.file {
        Written::Nameless(_) => assert!(names().is_empty(), "{:?}", names()),
        Written::Named(_) => {
            skip::announce(&format!("{home:?} has no files without names"), file!(), line!());
        }
    }
    drop(aside);
    assert!(names().is_empty(), "{:?}", names());
    for text in ["first", "second"] {
        let mut aside = Aside::create(Some(&path)).unwrap();
        aside.file().write_all(text.as_bytes()).unwrap();
        aside.deliver().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(names(), ["r.html"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
