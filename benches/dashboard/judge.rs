//! What one judgement is made of: the verdicts, the report with its names, and which published fixes each module lacks.

use std::path::Path;
use std::time::{Duration, Instant};

use unfreed::event::{Address, Bytes, Event, Module, ModuleId, ProcessId, Tid, Time, What};
use unfreed::fixes::{Catalogue, lacking, match_suspect};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::Header;
use unfreed::report::{Material, assemble, inventory};
use unfreed::verdict::judge;
use unfreed_symbols::{ModuleIdentity, Package, PackageManager};

/// More than Outlook maps.
const MODULES: u32 = 400;

/// Times each part of judging what was recorded; then the modules alone, where there are many.
pub fn print(trace: &Path, rounds: usize) {
    let ledger = crate::fold::ledger(trace);
    let catalogue = Catalogue::embedded().unwrap();
    let assessment = judge(&ledger);
    let mut namer = Namer::new(Store::new(StoreOptions::default()));
    let header = Header::default();
    let judged = least(rounds, || drop(judge(&ledger)));
    let assembled = least(rounds, || {
        let material = Material {
            header: &header,
            ledger: &ledger,
            assessment: &assessment,
            faults: &[],
            parts: &[],
            min_confidence: 0.7,
        };
        drop(assemble(material, &mut namer, &|evidence| match_suspect(&catalogue, evidence)));
    });
    let few = least(rounds, || modules(&ledger, &catalogue));
    let many = many_modules();
    let all = least(rounds, || modules(&many, &catalogue));
    println!(
        "judging {} sites: {judged:?}; the report of it: {assembled:?}; fixes its {} modules lack: {few:?}; of {MODULES} modules: {all:?}",
        ledger.sites().count(),
        ledger.modules().iter().count()
    );
}

fn modules(ledger: &Ledger, catalogue: &Catalogue) {
    drop(inventory(ledger, &|module, facts| {
        // How many is what takes the time; their names are the report's.
        assert!(lacking(catalogue, module, facts).len() < MODULES as usize);
        Vec::new()
    }));
}

/// The libraries of a mail server, as often as it takes.
fn many_modules() -> Ledger {
    let names = ["libssl.so.3", "libpam.so.0", "libmosquitto.so.1", "libsasl2.so.2", "libicu"];
    let mut ledger = Ledger::default();
    for id in 0..MODULES {
        let name = match names.get(id as usize) {
            Some(name) => (*name).to_owned(),
            None => format!("libmodule{id}.so.1"),
        };
        let identity = ModuleIdentity {
            path: format!("/usr/lib/x86_64-linux-gnu/{name}"),
            package: Some(Package {
                manager: PackageManager::Dpkg,
                name: name.trim_end_matches(|c: char| !c.is_alphabetic()).to_owned(),
                version: "1.2.3-4".to_owned(),
                architecture: None,
                distribution: None,
            }),
            name,
            ..ModuleIdentity::default()
        };
        let base = Address(0x7000_0000_0000 + u64::from(id) * 0x10_0000);
        let module = Module { id: ModuleId(id), identity, base, size: Bytes(0x8_0000) };
        ledger.apply(&Event {
            time: Time(1),
            process: ProcessId(0),
            thread: Tid(1),
            what: What::Module(Box::new(module)),
        });
    }
    ledger
}

/// The least of all rounds; the first also fills what is kept.
fn least(rounds: usize, mut work: impl FnMut()) -> Duration {
    let times = (0..=rounds).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.skip(1).min().unwrap_or_default()
}
