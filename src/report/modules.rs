//! Modules as the report has them: identity in few fields, the version where one is known.

use unfreed_symbols::ModuleIdentity;

use super::model::Module;

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

/// All modules, by name: the order in which they were first seen means nothing, and differs from
/// run to run.
pub fn listed<'a>(identities: impl Iterator<Item = &'a ModuleIdentity>) -> Vec<Module> {
    let mut modules: Vec<Module> = identities.map(shown).collect();
    modules.sort_by(|a, b| (&a.name, &a.path, &a.build_id).cmp(&(&b.name, &b.path, &b.build_id)));
    modules
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
