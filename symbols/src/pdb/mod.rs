//! Program databases: the functions, inlined ones included, and source lines at an address of a PE.
//! `pdb-addr2line` reads them, which trusts its input more than we do: `source.rs`, `types.rs` and
//! `modules.rs` keep from it what would take memory or stack out of proportion, and its panics are
//! caught. Streams are read when first needed; what is damaged answers nothing.

mod modules;
mod publics;
mod source;
mod types;

use pdb_addr2line::pdb::{PDB, StreamIndex};
use pdb_addr2line::{Context, FunctionFrames};
use self_cell::self_cell;

use crate::decoration::{Decoration, undecorated};
use crate::guard::guarded;
use crate::{Found, FunctionExtent, ModuleOffset, NamedFrame, PdbId, SymbolError};

use modules::Streams;
use publics::Publics;
use source::Pages;

/// Functions taken at one address, at most.
const INLINED_MOST: usize = 256;
/// The streams of types and of ids.
const TYPES: [StreamIndex; 2] = [StreamIndex(2), StreamIndex(4)];

type Looked<'a> = Context<'a, 'static>;

self_cell! {
    struct Opened {
        owner: Streams,
        #[not_covariant]
        dependent: Looked,
    }
}

/// A program database.
pub(crate) struct Pdb(Kind);

enum Kind {
    /// One that says what lies where.
    Whole(Opened),
    /// One of which only the public symbols can be used.
    Public(Publics),
}

/// What identifies a program database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdbFacts {
    /// Its GUID: 32 hexadecimal digits, upper-case.
    pub guid: String,
    /// How often the linker wrote it since its GUID was made: what a module's record is compared with.
    pub age: u32,
}

impl PdbFacts {
    /// Reads them.
    ///
    /// # Errors
    /// [`SymbolError::NotPdb`], or [`SymbolError::DamagedPdb`].
    pub fn read(bytes: Vec<u8>) -> Result<PdbFacts, SymbolError> {
        let mut pdb = open(&Pages::new(bytes))?;
        facts(&mut pdb)
    }
}

impl Pdb {
    /// Opens one, if it is the one wanted.
    pub(crate) fn open(bytes: Vec<u8>, wanted: &PdbId) -> Result<Pdb, SymbolError> {
        let pages = Pages::new(bytes);
        let mut pdb = open(&pages)?;
        let found = facts(&mut pdb)?;
        if !found.guid.eq_ignore_ascii_case(&wanted.guid) || found.age != wanted.age {
            let wanted = PdbFacts { guid: wanted.guid.clone(), age: wanted.age };
            return Err(SymbolError::OtherPdb { wanted, found });
        }
        let opened = guarded(|| {
            for index in TYPES {
                let Some(stream) = pdb.raw_stream(index)? else { continue };
                pages.replace_last(types::made_safe(&stream));
            }
            let streams = Streams::read(pdb)?;
            if !streams.has_contributions() {
                return Ok(Kind::Public(streams.publics()));
            }
            Ok(match Opened::try_new_or_recover(streams, Streams::context) {
                Ok(opened) => Kind::Whole(opened),
                Err::<_, (Streams, pdb_addr2line::Error)>((streams, _)) => {
                    Kind::Public(streams.publics())
                }
            })
        });
        match opened {
            Some(Ok(kind)) => Ok(Pdb(kind)),
            Some(Err::<_, pdb_addr2line::Error>(cause)) => {
                Err(SymbolError::DamagedPdb { cause: cause.to_string() })
            }
            None => Err(SymbolError::DamagedPdb { cause: "it contradicts itself".to_owned() }),
        }
    }

    /// The functions at an address, innermost first; empty where nothing covers it.
    pub(crate) fn frames(&self, offset: ModuleOffset) -> Vec<NamedFrame> {
        let Some(found) = self.find(offset) else { return Vec::new() };
        found.map_or_else(Vec::new, |(frames, _)| frames)
    }

    /// The function that covers an address, and from where to where.
    pub(crate) fn extent(&self, offset: ModuleOffset) -> Option<FunctionExtent> {
        self.find(offset)??.1
    }

    #[allow(clippy::option_option, reason = "the outer is the guard's")]
    fn find(
        &self,
        offset: ModuleOffset,
    ) -> Option<Option<(Vec<NamedFrame>, Option<FunctionExtent>)>> {
        let rva = u32::try_from(offset.0).ok()?;
        let opened = match &self.0 {
            Kind::Whole(opened) => opened,
            Kind::Public(publics) => return Some(publics.covering(rva).map(alone)),
        };
        guarded(|| {
            opened.with_dependent(|streams, context| {
                let frames = context.find_frames(rva).ok()??;
                let decoration = streams.decoration();
                let found = found(&frames);
                // A public symbol reaches to the next one, over functions that have none. Where its own
                // function is known, that one ends before the address.
                if found == Found::PdbPublic
                    && let Ok(Some(begin)) = context.find_frames(frames.start_rva)
                    && self::found(&begin) == Found::Pdb
                {
                    return None;
                }
                let extent = frames.frames.last().and_then(|frame| {
                    let name = undecorated(frame.function.as_deref()?, decoration);
                    let end = frames.end_rva.filter(|&end| end > rva)?;
                    let size = u64::from(end - frames.start_rva);
                    let start = ModuleOffset(frames.start_rva.into());
                    Some(FunctionExtent { name, start, size, found })
                });
                Some((named(frames, found, decoration), extent))
            })
        })
    }
}

/// A function of which only the name is known.
fn alone(extent: FunctionExtent) -> (Vec<NamedFrame>, Option<FunctionExtent>) {
    let (function, found) = (Some(extent.name.clone()), extent.found);
    let frame = NamedFrame { function, file: None, line: None, inlined: false, found };
    (vec![frame], Some(extent))
}

/// Whether the name is that of a procedure, which has a type and with it parameters, or a public
/// symbol's, of which nothing is known but where it begins.
fn found(frames: &FunctionFrames<'_>) -> Found {
    let outer = frames.frames.last().and_then(|frame| frame.function.as_deref());
    let typed = outer.is_some_and(|name| !name.starts_with('?') && name.contains('('));
    if typed || frames.frames.len() > 1 { Found::Pdb } else { Found::PdbPublic }
}

fn named(frames: FunctionFrames<'_>, found: Found, decoration: Decoration) -> Vec<NamedFrame> {
    let mut frames: Vec<NamedFrame> = frames
        .frames
        .into_iter()
        .take(INLINED_MOST)
        .map(|frame| NamedFrame {
            function: frame
                .function
                .map(|name| undecorated(&name, decoration))
                .filter(|name| !name.is_empty()),
            file: frame.file.map(|file| file.into_owned()),
            // MSVC marks code that belongs to no line with these.
            line: frame.line.filter(|line| !matches!(line, 0 | 0xf0_0000 | 0xfe_efee)),
            inlined: true,
            found,
        })
        .filter(|frame| frame.function.is_some() || frame.line.is_some())
        .collect();
    if let Some(last) = frames.last_mut() {
        last.inlined = false;
    }
    frames
}

fn open(pages: &Pages) -> Result<PDB<'static, Pages>, SymbolError> {
    match guarded(|| PDB::open(pages.clone())) {
        Some(Ok(pdb)) => Ok(pdb),
        _ => Err(SymbolError::NotPdb),
    }
}

fn facts(pdb: &mut PDB<'static, Pages>) -> Result<PdbFacts, SymbolError> {
    let read = guarded(|| {
        let information = pdb.pdb_information()?;
        // The age that the module's record has is that of the linker; tools that add to the file later
        // raise the other one.
        let age = pdb.debug_information()?.age().unwrap_or(information.age);
        Ok(PdbFacts { guid: information.guid.simple().to_string().to_ascii_uppercase(), age })
    });
    match read {
        Some(Ok(facts)) => Ok(facts),
        Some(Err::<_, pdb_addr2line::pdb::Error>(cause)) => {
            Err(SymbolError::DamagedPdb { cause: cause.to_string() })
        }
        None => Err(SymbolError::DamagedPdb { cause: "it contradicts itself".to_owned() }),
    }
}
