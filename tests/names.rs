//! Naming with real files: Debian's own mosquitto, which is stripped but exports its functions,
//! and a library of ours whose debug file lies in each place where one may lie. What is not
//! installed is skipped, and said so.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::Command;

use unfreed::event::NamedFunction;
use unfreed::names::{
    FrameSeen, Namer, PackageIndex, SiteSeen, Store, StoreOptions, blame, identify, place,
};
use unfreed_symbols::{
    BuildId, Found, ModuleIdentity, ModuleOffset, OffsetKind, PackageManager, Place,
};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";

fn present(path: &str) -> bool {
    let present = Path::new(path).exists();
    if !present {
        skip::announce(&format!("{path} is not installed"), file!(), line!());
    }
    present
}

/// A command's output; `None`, said loudly, where it does not work here.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = answer(program, arguments);
    if output.is_none() {
        skip::announce(&format!("{program} {arguments:?} does not work"), file!(), line!());
    }
    output
}

/// The same of a command that may have no answer.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

fn namer(options: StoreOptions) -> Namer {
    Namer::new(Store::new(options))
}

/// The functions of a file's `.dynsym` as readelf lists them: name, start, size.
fn exported(path: &str) -> Option<Vec<(String, u64, u64)>> {
    let text = output("readelf", &["--dyn-syms", "-W", path])?;
    let functions = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, start, size, "FUNC", _, _, section, name, ..] = fields[..] else { return None };
        let start = u64::from_str_radix(start, 16).ok()?;
        let size = size.parse().ok()?;
        (section != "UND").then(|| (name.split('@').next().unwrap().to_owned(), start, size))
    });
    Some(functions.collect())
}

#[test]
fn mosquitto_is_identified_with_its_package() {
    if !present(MOSQUITTO) {
        return;
    }
    let identity = identify(Path::new(MOSQUITTO), &PackageIndex::load(Path::new("/")));
    assert_eq!((identity.name.as_str(), identity.path.as_str()), ("mosquitto", MOSQUITTO));
    assert_eq!(identity.file_size, Some(std::fs::metadata(MOSQUITTO).unwrap().len()));
    if let Some(notes) = output("readelf", &["-n", MOSQUITTO]) {
        assert!(notes.contains(identity.build_id.as_deref().unwrap()), "{notes}");
    }
    let format = "${Version} ${Architecture}";
    if let Some(installed) = output("dpkg-query", &["-W", "-f", format, "mosquitto"]) {
        let package = identity.package.unwrap();
        assert_eq!((package.manager, package.name.as_str()), (PackageManager::Dpkg, "mosquitto"));
        assert_eq!(format!("{} {}", package.version, package.architecture.unwrap()), installed);
    }
}

#[test]
fn mosquitto_is_named_by_what_it_exports() {
    if !present(MOSQUITTO) {
        return;
    }
    let Some(functions) = exported(MOSQUITTO) else { return };
    for wanted in ["mosquitto__malloc", "packet__read_string"] {
        assert!(functions.iter().any(|(name, ..)| name == wanted), "{wanted}");
    }
    // Only its own file: a debug file installed here would name more.
    let mut namer = namer(StoreOptions::default());
    let module = identify(Path::new(MOSQUITTO), &PackageIndex::load(Path::new("/nowhere")));
    for (_, start, size) in functions.iter().filter(|(.., size)| *size > 0) {
        let same = functions.iter().filter(|other| (other.1, other.2) == (*start, *size));
        let names: Vec<&str> = same.map(|other| other.0.as_str()).collect();
        // The first instruction, and the return address of a call that ends the function.
        for (offset, kind) in [(*start, OffsetKind::Exact), (start + size, OffsetKind::Return)] {
            let frames = namer.name(&module, ModuleOffset(offset), kind);
            let [frame] = &frames[..] else { panic!("{frames:?} at {offset:#x}") };
            assert!(names.contains(&frame.function.as_deref().unwrap()), "{frame:?} {names:?}");
            assert_eq!((frame.found, frame.inlined), (Found::Dynsym, false));
        }
        let extent = namer.extent(&module, ModuleOffset(*start), OffsetKind::Exact).unwrap();
        assert_eq!((extent.start, extent.size), (ModuleOffset(*start), *size));
        // Between functions there is no name.
        let inside = |at: u64| functions.iter().any(|(_, s, size)| (*s..s + size).contains(&at));
        if !inside(start + size) {
            let after = ModuleOffset(start + size);
            assert!(namer.name(&module, after, OffsetKind::Exact).is_empty());
            assert_eq!(place(Some("mosquitto"), after), format!("mosquitto+{:#x}", start + size));
        }
    }
    assert_eq!(namer.used().collect::<Vec<_>>(), [&Place(MOSQUITTO.to_owned())]);
    assert_eq!(namer.notices(), []);
}

/// The stack of a publish's topic, by mosquitto's real names: its wrapper is skipped, and so is
/// what copies bytes out of a packet for `packet__read_string`.
#[test]
fn mosquittos_own_wrapper_is_not_blamed() {
    if !present(MOSQUITTO) {
        return;
    }
    let mut namer = namer(StoreOptions::default());
    let module = identify(Path::new(MOSQUITTO), &PackageIndex::load(Path::new("/nowhere")));
    let Some(functions) = exported(MOSQUITTO) else { return };
    let mut stack = |names: &[&str]| -> Vec<(String, ModuleOffset)> {
        let frames = names.iter().map(|wanted| {
            let (_, start, size) = functions.iter().find(|(name, ..)| name == wanted).unwrap();
            let offset = ModuleOffset(start + size);
            let frames = namer.name(&module, offset, OffsetKind::Return);
            (frames[0].function.clone().unwrap(), offset)
        });
        frames.collect()
    };
    let named = stack(&[
        "mosquitto__malloc",
        "packet__read_binary",
        "packet__read_string",
        "handle__publish",
    ]);
    let mut frames = vec![FrameSeen {
        module: Some("libc.so.6"),
        function: Some("malloc"),
        start: None,
        offset: ModuleOffset(0),
    }];
    frames.extend(named.iter().map(|(function, offset)| FrameSeen {
        module: Some("mosquitto"),
        function: Some(function),
        start: None,
        offset: *offset,
    }));
    let blamed = blame::blame(&[SiteSeen { frames, allocations: 50_000 }]);
    assert_eq!(blamed.frames, [Some(3)]);
    assert_eq!(named[2].0, "packet__read_string");
}

#[test]
fn owners_are_those_that_dpkg_gives() {
    if !present("/var/lib/dpkg/status") {
        return;
    }
    let packages = PackageIndex::load(Path::new("/"));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let mapped = mapped.filter(|path| path.contains(".so")).map(str::to_owned);
    let mut paths: Vec<String> = mapped.collect();
    paths.extend(["/usr/bin/dpkg", "/bin/sh", "/usr/sbin/mosquitto"].map(str::to_owned));
    paths.sort();
    paths.dedup();
    let mut owned = 0;
    for path in paths.iter().filter(|path| Path::new(path).exists()) {
        let found = packages.owner(Path::new(path)).map(|package| package.name);
        // dpkg knows only the spelling its lists have.
        let short = path.strip_prefix("/usr").unwrap_or(path);
        let listed = answer("dpkg", &["-S", path]).or_else(|| answer("dpkg", &["-S", short]));
        let line = listed
            .as_deref()
            .and_then(|text| text.lines().find(|line| !line.starts_with("diversion")));
        let expected = line.map(|line| line.split([':', ',']).next().unwrap().to_owned());
        assert_eq!(found, expected, "{path}");
        owned += usize::from(found.is_some());
    }
    assert!(owned > 0);
    assert!(packages.distribution().is_some());
}

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/symbols/tests/programs/server.cc");

/// A library without symbols, and its debug file in some place.
struct Laid {
    directory: tempfile::TempDir,
    library: PathBuf,
    /// An address of a function that only the debug file names.
    hidden: ModuleOffset,
}

/// Builds them; `lay` says where the debug file goes, given the directory and the build-id.
fn lay(lay: impl FnOnce(&Path, &BuildId) -> PathBuf) -> Option<Laid> {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("lib/libserver.so");
    std::fs::create_dir(directory.path().join("lib")).unwrap();
    let (file, debug) = (library.to_str().unwrap(), directory.path().join("libserver.debug"));
    output("g++", &["-g", "-O1", "-shared", "-fPIC", "-o", file, SERVER])?;
    let symbols = output("nm", &[file])?;
    let line = symbols.lines().find(|line| line.ends_with(" _ZL6hiddenm")).unwrap();
    let hidden = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
    output("objcopy", &["--only-keep-debug", file, debug.to_str().unwrap()])?;
    output("strip", &["--strip-all", file])?;
    let link = format!("--add-gnu-debuglink={}", debug.display());
    output("objcopy", &[&link, file])?;
    let identity = identify(&library, &PackageIndex::load(Path::new("/nowhere")));
    let build_id = BuildId::parse(identity.build_id.as_deref().unwrap()).unwrap();
    let to = lay(directory.path(), &build_id);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::rename(debug, to).unwrap();
    Some(Laid { directory, library, hidden: ModuleOffset(hidden) })
}

impl Laid {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn identity(&self) -> ModuleIdentity {
        identify(&self.library, &PackageIndex::load(Path::new("/nowhere")))
    }

    fn check(&self, options: StoreOptions) {
        let mut namer = namer(options);
        let frames = namer.name(&self.identity(), self.hidden, OffsetKind::Exact);
        let [frame] = &frames[..] else { panic!("{frames:?} {:?}", namer.notices()) };
        assert_eq!(frame.function.as_deref(), Some("hidden(unsigned long)"));
        assert!(frame.file.as_deref().unwrap().ends_with("server.cc") && frame.line.is_some());
        assert_eq!(namer.notices(), []);
    }
}

fn by_build_id(directory: &Path, id: &BuildId) -> PathBuf {
    let (first, rest) = id.split();
    directory.join(".build-id").join(first).join(format!("{rest}.debug"))
}

#[test]
fn a_debug_file_is_found_wherever_it_may_lie() {
    let debug =
        |laid: &Laid| StoreOptions { debug: vec![laid.path("debug")], ..StoreOptions::default() };
    let Some(laid) = lay(|root, id| by_build_id(&root.join("debug"), id)) else { return };
    laid.check(debug(&laid));
    laid.check(StoreOptions { symbols: vec![laid.path("debug")], ..StoreOptions::default() });

    laid_and_checked(|root, _| root.join("lib/libserver.debug"), |_| StoreOptions::default());
    laid_and_checked(
        |root, _| root.join("lib/.debug/libserver.debug"),
        |_| StoreOptions::default(),
    );
    // The debug directory repeats the module's own path.
    laid_and_checked(
        |root, _| {
            let inside = root.strip_prefix("/").unwrap().join("lib/libserver.debug");
            root.join("debug").join(inside)
        },
        debug,
    );
    laid_and_checked(
        |root, _| root.join("mine/libserver.debug"),
        |laid| StoreOptions { symbols: vec![laid.path("mine")], ..StoreOptions::default() },
    );
}

fn laid_and_checked(
    place: impl FnOnce(&Path, &BuildId) -> PathBuf,
    options: impl FnOnce(&Laid) -> StoreOptions,
) {
    if let Some(laid) = lay(place) {
        laid.check(options(&laid));
    }
}

#[test]
fn a_file_that_changed_since_the_trace_is_refused() {
    let Some(laid) = lay(|root, _| root.join("lib/libserver.debug")) else { return };
    let mut identity = laid.identity();
    identity.build_id = Some("00112233445566778899".to_owned());
    let mut namer = namer(StoreOptions::default());
    assert!(namer.name(&identity, laid.hidden, OffsetKind::Exact).is_empty());
    let notices = namer.notices();
    let [notice] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(notice.place, laid.library.to_str().unwrap());
    assert!(notice.what.starts_with("file changed since the trace: build-id "), "{}", notice.what);
}

#[test]
fn names_of_the_trace_come_first() {
    let Some(laid) = lay(|root, _| root.join("lib/libserver.debug")) else { return };
    let identity = laid.identity();
    let mut namer = namer(StoreOptions::default());
    let function = |name: &str, line| NamedFunction {
        function: name.to_owned(),
        file: Some("there.cc".to_owned()),
        line: Some(line),
    };
    let functions = [function("inner", 1), function("outer", 2)];
    namer.record(&identity, laid.hidden, &functions);
    let frames = namer.name(&identity, laid.hidden, OffsetKind::Return);
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame.function.as_deref().unwrap(), frame.inlined, frame.found))
        .collect();
    assert_eq!(seen, [("inner", true, Found::Recorded), ("outer", false, Found::Recorded)]);
    // Another offset of the module is still looked up.
    let other = ModuleOffset(laid.hidden.0 + 1);
    assert_ne!(namer.name(&identity, other, OffsetKind::Exact)[0].found, Found::Recorded);
}

#[test]
fn a_module_that_is_gone_or_no_file_has_no_names() {
    let mut namer = namer(StoreOptions::default());
    for path in ["/nowhere/libgone.so", "/dev/zero", "/", ""] {
        let module = ModuleIdentity::of_path(path);
        assert!(namer.name(&module, ModuleOffset(0x1000), OffsetKind::Return).is_empty());
    }
    let notices: Vec<_> = namer.notices().into_iter().map(|notice| notice.place).collect();
    assert_eq!(notices, ["/dev/zero"]);
    let identity = identify(Path::new("/dev/zero"), &PackageIndex::load(Path::new("/nowhere")));
    assert_eq!(identity, ModuleIdentity::of_path("/dev/zero"));
}
