//! The modules of a log: which id stands for which file, and what is known of it. A file that several processes
//! map has one id. What it is comes mostly at the end of the log, in records of three kinds that are joined
//! by size and time stamp; nothing is taken where two files claim the same.

use rustc_hash::FxHashMap;
use unfreed_symbols::{ModuleIdentity, PdbId, PeFacts};

use super::image::Image;
use super::symbols::{Place, Stamp, SymbolRecord, VersionFacts};
use crate::event::ModuleId;

/// So many files of one path and size, or of one stamp, are told apart; more are a damaged log's.
const MOST_ALIKE: usize = 64;

#[derive(Debug)]
struct Known {
    path: String,
    stamp: Stamp,
    ntdll: bool,
}

#[derive(Debug)]
struct File {
    name: String,
    pdb: Option<PdbId>,
}

/// All modules.
#[derive(Debug, Default)]
pub struct Modules {
    all: Vec<Known>,
    by_file: FxHashMap<(String, u32), Vec<ModuleId>>,
    files: FxHashMap<Stamp, Vec<File>>,
    versions: FxHashMap<Stamp, Vec<VersionFacts>>,
    /// The file that was said last to be at a place, by its stamp and number among those of it, and program databases whose
    /// file was not said yet.
    places: FxHashMap<Place, (Stamp, usize)>,
    pdbs: FxHashMap<Place, PdbId>,
    /// The time stamp of all files of a name and size; `None` where they have several.
    stamps: FxHashMap<(String, u32), Option<u32>>,
}

impl Modules {
    /// The id of an image's file.
    pub fn id(&mut self, image: &Image) -> ModuleId {
        // Whose size does not fit 32 bits is no PE.
        let size = u32::try_from(image.size.0).unwrap_or(u32::MAX);
        let same = self.by_file.entry((image.path.to_lowercase(), size)).or_default();
        for &id in same.iter().rev().take(MOST_ALIKE) {
            let Some(known) = self.all.get_mut(id.0 as usize) else { continue };
            let known = &mut known.stamp.timestamp;
            if *known == image.timestamp || *known == 0 || image.timestamp == 0 {
                *known |= image.timestamp;
                return id;
            }
        }
        let id = ModuleId(self.all.len() as u32);
        same.push(id);
        let stamp = Stamp { size, timestamp: image.timestamp };
        let name = image.path.rsplit(['\\', '/']).next().unwrap_or_default();
        let ntdll = name.eq_ignore_ascii_case("ntdll.dll");
        self.all.push(Known { path: image.path.clone(), stamp, ntdll });
        id
    }

    /// Whether a module is the one that calls the system, and that heaps are made by.
    pub fn is_ntdll(&self, id: ModuleId) -> bool {
        self.all.get(id.0 as usize).is_some_and(|known| known.ntdll)
    }

    /// Takes what a record says of an image.
    pub fn learn(&mut self, record: SymbolRecord) {
        match record {
            SymbolRecord::File { place, stamp, name } => {
                let pdb = self.pdbs.remove(&place);
                let same = (name.to_lowercase(), stamp.size);
                let only = self.stamps.entry(same).or_insert(Some(stamp.timestamp));
                *only = only.filter(|only| *only == stamp.timestamp);
                let files = self.files.entry(stamp).or_default();
                let known = files.iter().position(|file| file.name.eq_ignore_ascii_case(&name));
                let number = known.unwrap_or(files.len());
                match files.get_mut(number) {
                    Some(file) => file.pdb = file.pdb.take().or(pdb),
                    None if number < MOST_ALIKE => files.push(File { name, pdb }),
                    None => {}
                }
                self.places.insert(place, (stamp, number));
            }
            SymbolRecord::Pdb { place, pdb } => {
                let Some((stamp, number)) = self.places.get(&place) else {
                    self.pdbs.insert(place, pdb);
                    return;
                };
                if let Some(file) = self.files.get_mut(stamp).and_then(|all| all.get_mut(*number)) {
                    file.pdb = Some(pdb);
                }
            }
            SymbolRecord::Version { stamp, version } => {
                let versions = self.versions.entry(stamp).or_default();
                if versions.len() < MOST_ALIKE && !versions.contains(&version) {
                    versions.push(version);
                }
            }
            SymbolRecord::Other => {}
        }
    }

    /// What is known of a module by now.
    pub fn identity(&self, id: ModuleId) -> ModuleIdentity {
        let Some(known) = self.all.get(id.0 as usize) else { return ModuleIdentity::default() };
        let mut identity = ModuleIdentity::of_path(&known.path);
        let mut stamp = known.stamp;
        if stamp.timestamp == 0 {
            // Told without: the one file of this name and size, if it is one.
            let only = self.stamps.get(&(identity.name.to_lowercase(), stamp.size));
            stamp.timestamp = only.copied().flatten().unwrap_or_default();
        }
        let mut pe =
            PeFacts { timestamp: stamp.timestamp, image_size: stamp.size, ..PeFacts::default() };
        if stamp.timestamp != 0 {
            let files = self.files.get(&stamp).map_or(&[][..], Vec::as_slice);
            let file = one_of(files, &identity.name, |file| &file.name);
            identity.pdb = file.and_then(|file| file.pdb.clone());
            let versions = self.versions.get(&stamp).map_or(&[][..], Vec::as_slice);
            if let Some(version) =
                one_of(versions, &identity.name, |version| &version.original_name)
            {
                identity.file_version.clone_from(&version.file_version);
                pe.product_version.clone_from(&version.product_version);
                pe.company.clone_from(&version.company);
            }
        }
        identity.pe = Some(pe);
        identity
    }
}

/// The one of this name, or the only one: a kernel is linked as `ntkrnlmp.exe` and mapped as `ntoskrnl.exe`.
fn one_of<'a, T>(all: &'a [T], name: &str, named: impl Fn(&T) -> &String) -> Option<&'a T> {
    match all {
        [only] => Some(only),
        _ => all.iter().find(|one| named(one).eq_ignore_ascii_case(name)),
    }
}
