//! One suspect, prepared once to be held against many entries: bare function names, and a quick
//! no for the entries that cannot fit. The quick no only ever says what the full judgement would
//! say (a test holds the two against each other).

use unfreed_symbols::ModuleIdentity;

use super::function_name;
use crate::fixes::catalogue::Catalogue;
use crate::fixes::changelog::Changelogs;
use crate::fixes::entry::{Entry, Step};
use crate::fixes::evidence::Evidence;

/// A suspect, ready to be matched.
pub(super) struct View<'v> {
    pub evidence: &'v Evidence<'v>,
    /// For a site that is no suspect: its verdict. Only a fix that is there can say anything of it.
    pub dismissed: Option<&'v str>,
    /// What the packages of the target say of themselves.
    pub changelogs: &'v Changelogs,
    /// The bare function name of each frame of the stack.
    pub functions: Vec<Option<&'v str>>,
    /// The distinct modules on the stack, by identity.
    modules: Vec<&'v ModuleIdentity>,
    /// The process's name without directories and `.exe`.
    process: &'v str,
}

impl<'v> View<'v> {
    pub(super) fn new(catalogue: &'v Catalogue, evidence: &'v Evidence<'v>) -> View<'v> {
        let mut modules: Vec<&ModuleIdentity> = Vec::new();
        for module in evidence.stack.iter().filter_map(|frame| frame.module) {
            if !modules.iter().any(|known| std::ptr::eq(*known, module) || *known == module) {
                modules.push(module);
            }
        }
        View {
            evidence,
            dismissed: None,
            changelogs: catalogue.changelogs(),
            functions: evidence.stack.iter().map(|f| f.function.map(function_name::bare)).collect(),
            modules,
            process: program(evidence.process),
        }
    }

    /// A site that is no suspect, with its verdict.
    pub(super) fn dismissed(
        catalogue: &'v Catalogue,
        evidence: &'v Evidence<'v>,
        verdict: &'v str,
    ) -> View<'v> {
        View { dismissed: Some(verdict), ..View::new(catalogue, evidence) }
    }

    /// Whether the process is one of these; no names mean any.
    pub(super) fn is_process(&self, names: &[String]) -> bool {
        names.is_empty()
            || names.iter().any(|name| program(name).eq_ignore_ascii_case(self.process))
    }

    /// The modules of this name that are on the stack; if none is, those that are mapped.
    pub(super) fn modules_called(&self, name: &str) -> Vec<&'v ModuleIdentity> {
        let on_stack: Vec<_> =
            self.modules.iter().copied().filter(|m| is_called(m, name)).collect();
        if !on_stack.is_empty() {
            return on_stack;
        }
        self.evidence.modules.iter().copied().filter(|module| is_called(module, name)).collect()
    }

    /// Whether something that is not seen on the stack may yet have been on the call path: in
    /// this module, where it is known to be in one.
    pub(super) fn may_hide(&self, module: Option<&str>) -> bool {
        !self.evidence.stack_complete
            || self.evidence.stack.iter().any(|frame| {
                let there = match (frame.module, module) {
                    (Some(its), Some(wanted)) => is_called(its, wanted),
                    _ => true,
                };
                frame.function.is_none() && there
            })
    }

    /// The frames that are one of a step's functions, innermost first.
    pub(super) fn frames_of<'s>(&'s self, step: &'s Step) -> impl Iterator<Item = usize> + 's {
        self.functions.iter().zip(&self.evidence.stack).enumerate().filter_map(
            move |(at, (function, frame))| {
                let function = (*function)?;
                let there = match (frame.module, &step.module) {
                    (Some(its), Some(wanted)) => is_called(its, wanted),
                    _ => true,
                };
                let named = step.any.iter().any(|wanted| function_name::is(function, wanted));
                (there && named).then_some(at)
            },
        )
    }

    /// Whether the full judgement would say no for certain.
    pub(super) fn cannot_fit(&self, entry: &Entry) -> bool {
        let signature = &entry.signature;
        if signature.evidence != self.evidence.kind || !self.is_process(&signature.processes) {
            return true;
        }
        let Some(modules) = &signature.modules else {
            let seen = |step: &Step| !step.common && self.frames_of(step).next().is_some();
            return !signature.frames.iter().any(seen);
        };
        self.evidence.stack_complete
            && !self.modules.iter().any(|m| modules.any.iter().any(|name| is_called(m, name)))
    }
}

/// Whether a module goes by this name: its file's or its soname. Windows does not tell case apart, and no two modules
/// elsewhere differ in case alone. A library named without a number (`libetpan.so`) is every version of it, and Windows'
/// debuggers leave the extension out.
pub(super) fn is_called(module: &ModuleIdentity, name: &str) -> bool {
    let is = |its: &str| {
        its.eq_ignore_ascii_case(name)
            || (ends_unnumbered(name) && unnumbered(its).eq_ignore_ascii_case(name))
    };
    is(&module.name)
        || module.name.eq_ignore_ascii_case(stem(name))
        || module.soname.as_deref().is_some_and(is)
}

/// A Windows file's name without its extension; any other name as it is.
pub(in crate::fixes) fn stem(name: &str) -> &str {
    match name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) {
        Some((stem, end)) if [".dll", ".exe"].iter().any(|of| end.eq_ignore_ascii_case(of)) => stem,
        _ => name,
    }
}

fn ends_unnumbered(name: &str) -> bool {
    name.len() > 3 && name.ends_with(".so")
}

/// A library's name without the numbers after `.so`; any other name as it is.
pub(in crate::fixes) fn unnumbered(name: &str) -> &str {
    match name.find(".so.") {
        Some(at) => name.get(..at + 3).unwrap_or(name),
        None => name,
    }
}

fn program(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    match name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".exe") && !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_called_by_their_files_with_their_ending_or_without() {
        let is = |name: &str, wanted: &str| {
            let module = ModuleIdentity { name: name.to_owned(), ..ModuleIdentity::default() };
            is_called(&module, wanted)
        };
        for name in ["Cdoexm.dll", "CDOEXM.DLL", "cdoexm"] {
            assert!(is(name, "Cdoexm.dll"), "{name}");
        }
        assert!(is("inetinfo", "Inetinfo.exe"));
        assert!(is("Microsoft.Exchange.Store", "Microsoft.Exchange.Store.dll"));
        assert!(!is("Cdoexm.exe", "Cdoexm.dll"));
        assert!(!is("Cdoexm.dll", "Cdoexm"));
        assert!(!is("Cdo", "Cdoexm.dll"));
        assert!(!is("libmosquitto", "libmosquitto.so.1"));
    }
}
