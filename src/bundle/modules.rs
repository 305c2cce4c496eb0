//! The modules with all that tells one file from another, as a table.

use crate::event::Process;
use crate::export::cell;
use crate::ledger::Ledger;
use unfreed_symbols::ModuleIdentity;

const HEADER: &str = "name,path,file_version,product_version,timestamp,image_size,file_size,build_id,pdb,pdb_guid,\
                      pdb_age,company,package,third_party\r\n";

/// The modules of a recording, RFC 4180. Third-party is what another company made than the traced program and than
/// Microsoft, or on Linux what no package owns; `unknown` where nothing tells.
pub fn modules(ledger: &Ledger) -> String {
    let programs: Vec<&str> = ledger
        .images()
        .iter()
        .filter_map(|image| image.process.as_ref())
        .map(|process: &Process| process.name.as_str())
        .collect();
    let makers: Vec<&str> = ledger
        .modules()
        .iter()
        .filter(|(_, identity)| programs.contains(&identity.name.as_str()))
        .filter_map(|(_, identity)| company(identity))
        .collect();
    let mut rows: Vec<String> =
        ledger.modules().iter().map(|(_, identity)| row(identity, &makers)).collect();
    rows.sort();
    rows.dedup();
    HEADER.to_owned() + &rows.concat()
}

fn company(identity: &ModuleIdentity) -> Option<&str> {
    identity.pe.as_ref().and_then(|pe| pe.company.as_deref())
}

fn row(identity: &ModuleIdentity, makers: &[&str]) -> String {
    let text = |text: Option<&str>| cell(text.unwrap_or_default()).into_owned();
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let (pe, pdb) = (identity.pe.as_ref(), identity.pdb.as_ref());
    let package = identity.package.as_ref().map(|p| format!("{} {}", p.name, p.version));
    let microsoft = |company: &str| company.to_ascii_lowercase().starts_with("microsoft");
    let third = match company(identity) {
        Some(company) if microsoft(company) || makers.contains(&company) => "no",
        Some(_) => "yes",
        None if identity.package.is_some() => "no",
        None if identity.build_id.is_some() => "yes",
        None => "unknown",
    };
    let cells = [
        text(Some(&identity.name)),
        text(Some(&identity.path)),
        text(identity.file_version.as_deref()),
        text(pe.and_then(|pe| pe.product_version.as_deref())),
        pe.map(|pe| format!("{:08x}", pe.timestamp)).unwrap_or_default(),
        number(pe.map(|pe| pe.image_size.into())),
        number(identity.file_size),
        text(identity.build_id.as_deref()),
        text(pdb.map(|pdb| pdb.name.as_str())),
        text(pdb.map(|pdb| pdb.guid.as_str())),
        number(pdb.map(|pdb| pdb.age.into())),
        text(company(identity)),
        text(package.as_deref()),
        third.to_owned(),
    ];
    cells.join(",") + "\r\n"
}
