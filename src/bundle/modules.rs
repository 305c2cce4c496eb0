//! The modules with all that tells one file from another, as a table.

use crate::export::cell;
use crate::ledger::Ledger;
use crate::report::modules::{Makers, company};
use unfreed_symbols::ModuleIdentity;

const HEADER: &str = "name,path,file_version,product_version,timestamp,image_size,file_size,build_id,pdb,pdb_guid,\
                      pdb_age,company,package,third_party\r\n";

/// The modules of a recording, RFC 4180. Third-party is what another company made than the traced program and than
/// Microsoft, or on Linux what no package owns and is no program; `unknown` where nothing tells.
pub fn modules(ledger: &Ledger) -> String {
    let makers = Makers::of(ledger);
    let mut rows: Vec<String> =
        ledger.modules().iter().map(|(_, identity)| row(identity, &makers)).collect();
    rows.sort();
    rows.dedup();
    HEADER.to_owned() + &rows.concat()
}

fn row(identity: &ModuleIdentity, makers: &Makers<'_>) -> String {
    let text = |text: Option<&str>| cell(text.unwrap_or_default()).into_owned();
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let (pe, pdb) = (identity.pe.as_ref(), identity.pdb.as_ref());
    let package = identity.package.as_ref().map(|p| format!("{} {}", p.name, p.version));
    let third = match makers.third_party(identity) {
        Some(true) => "yes",
        Some(false) => "no",
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
