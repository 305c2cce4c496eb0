//! Modules as the report has them: identity in few fields, the version where one is known.

use unfreed_symbols::ModuleIdentity;

use super::model::{Lacking, ListedModule, Module};
use super::witness::Witness;
use crate::event::Fact;
use crate::ledger::Ledger;

/// A module. Its version is the file's own, else that of the package that owns the file.
pub fn shown(identity: &ModuleIdentity) -> Module {
    Module {
        name: identity.name.clone(),
        path: identity.path.clone(),
        version: version(identity),
        package: identity.package.as_ref().map(|p| format!("{} {}", p.name, p.version)),
        build_id: identity.build_id.clone(),
        pdb: identity.pdb.as_ref().map(|pdb| format!("{} {} {}", pdb.name, pdb.guid, pdb.age)),
    }
}

/// Which published fixes a module lacks, given the facts that were read on the target.
pub type ModuleMatcher<'a> = &'a dyn Fn(&ModuleIdentity, &[Fact]) -> Vec<Lacking>;

/// All modules, by name: the order in which they were first seen means nothing, and differs from
/// run to run.
pub fn inventory(ledger: &Ledger, matcher: ModuleMatcher<'_>) -> Vec<ListedModule> {
    let (makers, witness) = (Makers::of(ledger), Witness::new(ledger));
    let listed = |(_, identity): (_, &ModuleIdentity)| ListedModule {
        module: shown(identity),
        third_party: makers.third_party(identity),
        lacks: matcher(identity, witness.facts()),
    };
    let mut modules: Vec<ListedModule> = ledger.modules().iter().map(listed).collect();
    modules.sort_by(|ListedModule { module: a, .. }, ListedModule { module: b, .. }| {
        (&a.name, &a.path, &a.build_id).cmp(&(&b.name, &b.path, &b.build_id))
    });
    modules
}

/// Who made the traced programs.
pub struct Makers<'l> {
    programs: Vec<&'l str>,
    companies: Vec<&'l str>,
}

impl<'l> Makers<'l> {
    /// As the programs' files say.
    pub fn of(ledger: &'l Ledger) -> Self {
        let images = ledger.images().iter();
        let programs: Vec<&str> =
            images.filter_map(|image| Some(image.process.as_ref()?.name.as_str())).collect();
        let modules = ledger.modules().iter();
        let companies = modules
            .filter(|(_, identity)| programs.contains(&identity.name.as_str()))
            .filter_map(|(_, identity)| company(identity))
            .collect();
        Makers { programs, companies }
    }

    /// Whether another company made a module than the programs and than Microsoft, or on Linux whether no package owns it
    /// and it is no program; `None` where nothing tells.
    pub fn third_party(&self, identity: &ModuleIdentity) -> Option<bool> {
        let microsoft = |company: &str| company.to_ascii_lowercase().starts_with("microsoft");
        match company(identity) {
            _ if self.programs.contains(&identity.name.as_str()) => Some(false),
            Some(company) => Some(!microsoft(company) && !self.companies.contains(&company)),
            None if identity.package.is_some() => Some(false),
            None => identity.build_id.as_ref().map(|_| true),
        }
    }
}

/// Who says to have made a module.
pub fn company(identity: &ModuleIdentity) -> Option<&str> {
    identity.pe.as_ref().and_then(|pe| pe.company.as_deref())
}

/// What stands for the module of code outside any, or of a stack without frames.
pub fn unknown() -> Module {
    Module { name: "unknown module".to_owned(), ..Module::default() }
}

/// The file version, else the package's.
pub fn version(identity: &ModuleIdentity) -> Option<String> {
    let package = || identity.package.as_ref().map(|package| package.version.clone());
    identity.file_version.clone().or_else(package)
}
