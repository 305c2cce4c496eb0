//! Where PEs and PDBs are found: beside the module, in symbol stores, by a symbol path, from a server;
//! and what is said of those that are not used. A module that lies here (Wine's do) is identified.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use unfreed::names::{Namer, PackageIndex, Store, StoreOptions, identify};
use unfreed_symbols::{Found, ModuleIdentity, ModuleOffset, OffsetKind};

use super::{Built, Machine, identity, mixed, windows};
use crate::support;

/// Options that look only where a test says.
fn options(home: &Path) -> StoreOptions {
    StoreOptions { kept: home.join("kept"), ..StoreOptions::default() }
}

/// The name of `Open` by a return address, and how it was found.
fn named(namer: &mut Namer, module: &ModuleIdentity, built: &Built) -> Option<(String, Found)> {
    let offset = ModuleOffset(built.within("Open"));
    let frames = namer.name(module, offset, OffsetKind::Return);
    frames.last().map(|frame| (frame.function.clone().unwrap(), frame.found))
}

#[track_caller]
fn check(options: StoreOptions, module: &ModuleIdentity, built: &Built, notices: &[&str]) {
    let mut namer = Namer::new(Store::new(options));
    let expected = Some(("Open(int)".to_owned(), Found::Pdb));
    assert_eq!(named(&mut namer, module, built), expected, "{:?}", namer.notices());
    let said: Vec<String> = namer.notices().into_iter().map(|notice| notice.what).collect();
    assert_eq!(said, notices);
}

#[test]
fn a_pdb_is_found_wherever_it_may_lie() {
    tools!();
    let built = mixed(Machine::X86);
    let module = identity(&built);
    let home = tempfile::tempdir().unwrap();
    let symbols =
        |path: &Path| StoreOptions { symbols: vec![path.to_owned()], ..options(home.path()) };

    let store = home.path().join("store");
    built.copy_into_store(&store);
    check(symbols(&store), &module, &built, &[]);
    let by_path = format!("srv*{}", store.display());
    check(StoreOptions { symbol_path: by_path, ..options(home.path()) }, &module, &built, &[]);
    let by_option = format!("/nowhere;cache*{}", store.display());
    check(symbols(Path::new(&by_option)), &module, &built, &[]);
    let both = format!(r"C:\Symbols;{}", store.display());
    let left_out = ["is a path of Windows: not looked in here"];
    check(StoreOptions { symbol_path: both, ..options(home.path()) }, &module, &built, &left_out);

    // A directory of PDBs, one as debuggers have it, and the file itself.
    let plain = home.path().join("plain");
    fs::create_dir(&plain).unwrap();
    fs::copy(&built.pdb, plain.join("mixed.pdb")).unwrap();
    check(symbols(&plain), &module, &built, &[]);
    check(symbols(&plain.join("mixed.pdb")), &module, &built, &[]);
    let dll = home.path().join("by-kind/symbols/dll");
    fs::create_dir_all(&dll).unwrap();
    fs::copy(&built.pdb, dll.join("MIXED.PDB")).unwrap();
    check(symbols(&home.path().join("by-kind")), &module, &built, &[]);

    // Stores that were copied from Windows may have lost their case.
    let lower = home.path().join("lower");
    let key = format!("{}{:x}", built.guid.to_lowercase(), built.age);
    fs::create_dir_all(lower.join("MIXED.pdb").join(&key)).unwrap();
    fs::copy(&built.pdb, lower.join("MIXED.pdb").join(&key).join("Mixed.PDB")).unwrap();
    check(symbols(&lower), &module, &built, &[]);
}

#[test]
fn a_module_that_lies_here_is_identified_and_leads_to_the_pdb_beside_it() {
    tools!();
    for machine in super::BOTH {
        let built = mixed(machine);
        let home = tempfile::tempdir().unwrap();
        let dll = home.path().join("mixed.dll");
        fs::copy(&built.dll, &dll).unwrap();
        let module = identify(&dll, &PackageIndex::load(Path::new("/nowhere")));
        assert_eq!(module.file_version.as_deref(), Some("1.2.3.4"));
        let pe = module.pe.clone().unwrap();
        assert_eq!((pe.timestamp, pe.image_size), (built.timestamp, built.image_size));
        assert_eq!(pe.company.as_deref(), Some("Stand-in"));
        let pdb = module.pdb.clone().unwrap();
        assert_eq!((pdb.guid.as_str(), pdb.age, pdb.name.as_str()), (&*built.guid, 1, "mixed.pdb"));
        assert_eq!(module.build_id, None);

        let beside = home.path().join("mixed.pdb");
        fs::copy(&built.pdb, &beside).unwrap();
        check(options(home.path()), &module, &built, &[]);
        // Without it, what the DLL exports; with another one, that and the reason.
        let found = if machine == Machine::X64 { Found::Export } else { Found::ExportNearest };
        for other in [None, Some(windows::published_dll(spec(machine)))] {
            fs::remove_file(&beside).unwrap();
            if let Some(other) = &other {
                fs::copy(&other.pdb, &beside).unwrap();
            }
            let mut namer = Namer::new(Store::new(options(home.path())));
            let name = named(&mut namer, &module, &built);
            assert_eq!(name, Some(("Open".to_owned(), found)));
            let notices = namer.notices();
            assert_eq!(notices.len(), usize::from(other.is_some()), "{notices:?}");
            if let Some(other) = other {
                assert_eq!(notices[0].place, beside.to_string_lossy());
                assert!(notices[0].what.contains(&other.guid), "{notices:?}");
            }
            fs::write(&beside, "").unwrap();
        }
        // An upgrade since the trace.
        let newer = windows::dll(windows::Spec { version: "1.2.3.5", ..spec(machine) });
        fs::copy(&newer.dll, &dll).unwrap();
        fs::remove_file(&beside).unwrap();
        let mut namer = Namer::new(Store::new(options(home.path())));
        assert_eq!(named(&mut namer, &module, &built), None);
        let notices = namer.notices();
        assert!(
            notices[0].what.starts_with("file changed since the trace: time stamp "),
            "{notices:?}"
        );
    }
}

fn spec(machine: Machine) -> windows::Spec<'static> {
    windows::Spec { name: "mixed.dll", version: "1.2.3.4", machine, functions: &super::MIXED }
}

#[test]
fn what_a_store_has_only_compressed_is_said() {
    tools!();
    let built = mixed(Machine::X64);
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("store");
    built.copy_into_store(&store);
    let key = format!("{}{:X}", built.guid, built.age);
    let directory = store.join("mixed.pdb").join(key);
    fs::rename(directory.join("mixed.pdb"), directory.join("mixed.pd_")).unwrap();
    fs::write(directory.join("file.ptr"), r"PATH:\\server\share\mixed.pdb").unwrap();
    let symbols = vec![store];
    let mut namer = Namer::new(Store::new(StoreOptions { symbols, ..options(home.path()) }));
    // The DLL in the store serves all the same.
    assert_eq!(
        named(&mut namer, &identity(&built), &built),
        Some(("Open".to_owned(), Found::Export))
    );
    let said: Vec<String> = namer.notices().into_iter().map(|notice| notice.what).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("is compressed") && said[1].starts_with("says that the file is"));
}

/// A symbol server for some requests, over a store in a directory; gives what it was asked for.
fn serve(store: PathBuf, requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/download/symbols", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = line.split(' ').nth(1).unwrap().strip_prefix("/download/symbols/").unwrap();
            let (status, body) = match fs::read(store.join(path)) {
                Ok(bytes) => ("200 OK", bytes),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            asked.push(path.to_owned());
        }
        asked
    });
    (url, server)
}

#[test]
fn a_server_is_asked_only_when_it_is_wanted() {
    tools!();
    if ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        support::skip!(
            "a proxy that the environment names stands before this machine's own server"
        );
    }
    let built = mixed(Machine::X86);
    let module = identity(&built);
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("store");
    built.copy_into_store(&store);
    let (url, server) = serve(store, 1);
    let cache = home.path().join("cache");
    let symbol_path = format!("srv*{}*{url}", cache.display());

    let unasked = StoreOptions { symbol_path: symbol_path.clone(), ..options(home.path()) };
    let mut namer = Namer::new(Store::new(unasked));
    assert_eq!(named(&mut namer, &module, &built), None);
    let notices = namer.notices();
    assert!(notices[0].what.starts_with("not asked: --download-symbols"), "{notices:?}");
    assert_eq!(notices[0].place, url);

    let wanted = StoreOptions { symbol_path: symbol_path.clone(), ..options(home.path()) };
    check(wanted.downloading(true), &module, &built, &[]);
    let key = format!("mixed.pdb/{}{:X}/mixed.pdb", built.guid, built.age);
    assert_eq!(server.join().unwrap(), [key.as_str()]);
    assert_eq!(fs::read(cache.join(key)).unwrap(), fs::read(&built.pdb).unwrap());
    // It is kept, and is used without asking.
    check(StoreOptions { symbol_path, ..options(home.path()) }, &module, &built, &[]);
}

/// A trace may name anything; only GUIDs and plain names become paths and addresses.
#[test]
fn a_hostile_identity_reaches_no_file_of_another_name() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("store/x")).unwrap();
    fs::write(home.path().join("secret"), "x").unwrap();
    let mut module = ModuleIdentity::of_path(r"C:\x\..\..\secret");
    for name in ["../../secret", r"..\..\secret", "..", "", "a\nb", "/"] {
        for guid in ["../../../../../../etc", "", &"Z".repeat(32), &"\u{663}".repeat(16)] {
            let id =
                unfreed_symbols::PdbId { guid: guid.to_owned(), age: 1, name: name.to_owned() };
            assert_eq!(id.key(), None);
            module.pdb = Some(id);
            let symbols = vec![home.path().join("store")];
            let servers = "srv*/nowhere*http://127.0.0.1:9".to_owned();
            let options = StoreOptions { symbols, symbol_path: servers, ..options(home.path()) };
            let mut namer = Namer::new(Store::new(options.downloading(true)));
            assert!(namer.name(&module, ModuleOffset(0x1000), OffsetKind::Exact).is_empty());
            assert_eq!(namer.notices(), [], "{name:?} {guid:?}");
        }
    }
}
