//! A thousand entries and many suspects, made by a generator with a fixed seed; shared by the test that bounds the work
//! and the benchmark that measures the time.

use std::path::Path;

use unfreed::event::Function;
use unfreed::fixes::{Catalogue, Evidence, EvidenceFrame, EvidenceKind};
use unfreed_symbols::ModuleIdentity;

/// As many as no catalogue has yet.
pub const ENTRIES: usize = 1_000;
/// Modules that the entries are about: some have many entries, as brokers do.
const MODULES: u64 = 250;

/// The entries.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for n in 0..ENTRIES as u64 {
        let id = format!("FIX-{n:04}");
        let module = n % MODULES;
        let signature = match n % 4 {
            0 => format!("modules = {{ any = [\"module{module}.dll\"], at = \"blame\" }}\n"),
            1 => format!(
                "modules = {{ any = [\"module{module}.dll\"], at = \"path\" }}\n\n\
                 [[signature.frames]]\nany = [\"Class{n}::Method\"]\n"
            ),
            2 => format!(
                "\n[[signature.frames]]\nany = [\"function_{n}\", \"Space::function_{n}\"]\n"
            ),
            _ => format!(
                "processes = [\"process{module}.exe\"]\nmodules = {{ any = [\"module{module}.dll\"], at = \"path\" }}\n\n\
                 [[signature.frames]]\nany = [\"malloc\"]\ncommon = true\n"
            ),
        };
        let text = format!(
            "id = \"{id}\"\ntitle = \"{id}\"\nkind = \"heap\"\nsymptom = \"s\"\ncause = \"c\"\napplies_to = [\"p\"]\n\n\
             [[sources]]\ntitle = \"t\"\nread = \"full\"\n\n[signature]\nevidence = \"accumulation\"\n{signature}\n\
             [[lines]]\nproduct = \"P\"\nscheme = \"windows\"\n\n[[lines.files]]\nname = \"module{module}.dll\"\n\
             affected = {{ from = \"not stated\", before = \"5.5.{n}.1\" }}\nfixed = \"5.5.{n}.1\"\nprovenance = \"article\"\n\n\
             [remedy]\nkind = \"hotfix\"\nsteps = [\"i\"]\n"
        );
        let path = format!("{id}.toml");
        catalogue.insert(Catalogue::parse_entry(&text, Path::new(&path)).unwrap());
    }
    catalogue
}

/// A suspect that owns what its evidence borrows.
pub struct Made {
    process: String,
    modules: Vec<ModuleIdentity>,
    stack: Vec<(usize, String)>,
}

impl Made {
    /// As the matcher is told.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence {
            kind: EvidenceKind::Accumulation,
            process: &self.process,
            blame: Some(1),
            stack: self
                .stack
                .iter()
                .map(|(module, function)| EvidenceFrame {
                    module: self.modules.get(*module),
                    function: Some(function),
                })
                .collect(),
            stack_complete: true,
            modules: self.modules.iter().collect(),
            function: Function::Malloc,
            bytes_per_call: Some((48, 48, 48)),
            blocks_per_event: None,
            facts: &[],
        }
    }
}

/// Suspects with stacks of twenty frames through three modules, half of which have entries.
pub fn suspects(count: u64) -> Vec<Made> {
    let mut seed = 1u64;
    let mut next = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    (0..count)
        .map(|_| {
            let numbers = [next(2 * MODULES), next(2 * MODULES), next(2 * MODULES)];
            let modules = numbers.map(|number| ModuleIdentity {
                name: format!("Module{number}.dll"),
                file_version: Some(format!("5.5.{}.0", next(ENTRIES as u64))),
                ..ModuleIdentity::default()
            });
            let mut stack = vec![(0, "malloc".to_owned())];
            for at in 0..19 {
                let n = next(4 * ENTRIES as u64);
                let name = match at % 3 {
                    0 => format!("Class{n}::Method(int, char const*)"),
                    1 => format!("function_{n}"),
                    _ => format!("internal_{n}"),
                };
                stack.push((at % 3, name));
            }
            Made {
                process: format!("process{}.exe", next(MODULES)),
                modules: modules.into(),
                stack,
            }
        })
        .collect()
}
