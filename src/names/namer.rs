//! Names the frames of the stacks that survive, once per frame. Names that the trace itself
//! carries win over names found here, because they were found where the program ran. What
//! cannot be named stays `module+0xoffset`.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use unfreed_symbols::{
    BuildId, Found, FunctionExtent, Loaded, ModuleIdentity, ModuleOffset, NamedFrame, OffsetKind,
    Place, Symbols,
};

use super::{Notice, Store};
use crate::event::NamedFunction;

/// Names frames.
#[derive(Default)]
pub struct Namer {
    store: Store,
    ids: FxHashMap<ModuleIdentity, Id>,
    modules: Vec<Loaded>,
    recorded: FxHashMap<(Id, ModuleOffset), Arc<[NamedFrame]>>,
    named: FxHashMap<(Id, ModuleOffset), Arc<[NamedFrame]>>,
    opened: FxHashMap<Id, usize>,
}

/// A module, within one namer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id(usize);

impl Namer {
    /// A namer that finds symbol files in a store.
    pub fn new(store: Store) -> Namer {
        Namer { store, ..Namer::default() }
    }

    /// Takes names that the trace carries, for a frame's offset as the trace has it.
    pub fn record(
        &mut self,
        module: &ModuleIdentity,
        offset: ModuleOffset,
        functions: &[NamedFunction],
    ) {
        let last = functions.len().saturating_sub(1);
        let frames = functions.iter().enumerate().map(|(index, function)| NamedFrame {
            function: Some(function.function.clone()),
            file: function.file.clone(),
            line: function.line,
            inlined: index != last,
            found: Found::Recorded,
        });
        let frames: Arc<[NamedFrame]> = frames.collect();
        if !frames.is_empty() {
            let id = self.id(module);
            self.recorded.insert((id, offset), frames);
        }
    }

    /// The names that were taken for a frame by [`Namer::record`]; empty where there are none.
    pub fn recorded(&mut self, module: &ModuleIdentity, offset: ModuleOffset) -> Arc<[NamedFrame]> {
        let id = self.id(module);
        self.recorded.get(&(id, offset)).map_or_else(|| Arc::new([]), Arc::clone)
    }

    /// The functions at a frame, innermost first; the last is the real one, those before it were
    /// inlined into it. Empty where nothing is known: show [`place`] then.
    pub fn name(
        &mut self,
        module: &ModuleIdentity,
        offset: ModuleOffset,
        kind: OffsetKind,
    ) -> Arc<[NamedFrame]> {
        let id = self.id(module);
        if let Some(frames) = self.recorded.get(&(id, offset)) {
            return Arc::clone(frames);
        }
        let address = kind.lookup(offset);
        if let Some(frames) = self.named.get(&(id, address)) {
            return Arc::clone(frames);
        }
        let frames: Arc<[NamedFrame]> = self.symbols(id, module).frames(address).into();
        self.named.insert((id, address), Arc::clone(&frames));
        frames
    }

    /// Where the function at a frame begins and ends, by the symbol tables.
    pub fn extent(
        &mut self,
        module: &ModuleIdentity,
        offset: ModuleOffset,
        kind: OffsetKind,
    ) -> Option<FunctionExtent> {
        let id = self.id(module);
        self.symbols(id, module).extent(kind.lookup(offset))
    }

    /// What may explain missing names: files that were refused, servers that failed.
    pub fn notices(&self) -> Vec<Notice> {
        let refused = self.modules.iter().flat_map(|module| &module.refused);
        let refused = refused
            .map(|refusal| Notice { place: refusal.place.0.clone(), what: refusal.reason.clone() });
        refused.chain(self.store.notices().cloned()).collect()
    }

    /// The symbol files used so far.
    pub fn used(&self) -> impl Iterator<Item = &Place> {
        self.modules.iter().flat_map(|module| &module.used)
    }

    fn id(&mut self, module: &ModuleIdentity) -> Id {
        if let Some(id) = self.ids.get(module) {
            return *id;
        }
        let id = Id(self.ids.len());
        self.ids.insert(module.clone(), id);
        id
    }

    fn symbols(&mut self, id: Id, module: &ModuleIdentity) -> &Symbols {
        let index = *self.opened.entry(id).or_insert_with(|| {
            let build_id = module.build_id.as_deref().and_then(BuildId::parse);
            let Namer { modules, store, .. } = self;
            let (id, size) = (build_id.as_ref(), module.file_size);
            modules.push(if module.is_pe() {
                Symbols::load_pe(module, store)
            } else {
                Symbols::load(&module.path, id, size, store)
            });
            self.modules.len() - 1
        });
        &self.modules[index].symbols
    }
}

/// What is shown of a frame without a name.
pub fn place(module: Option<&str>, offset: ModuleOffset) -> String {
    match module {
        Some(module) => format!("{module}+{offset:#x}"),
        None => format!("{offset:#x}"),
    }
}
