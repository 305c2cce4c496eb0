//! Programs whose links hold many places.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use aya::Ebpf;
use aya_obj::Object;

use super::{Hook, PROBE, fd};
use crate::collect::ebpf::error::AttachError;
use crate::collect::ebpf::kernel;

/// The same programs once more, for links that hold many places.
pub(super) fn load_multi(ebpf: &Ebpf, into: &mut Vec<OwnedFd>) -> Result<(), AttachError> {
    let mut object = Object::parse(PROBE).map_err(AttachError::load)?;
    let types = match aya::features().btf() {
        Some(features) => object
            .fixup_and_sanitize_btf(features)
            .map_err(AttachError::load)?
            .map(|t| t.to_bytes()),
        None => None,
    };
    let types = types
        .map(|types| kernel::load_types(&types))
        .transpose()
        .map_err(AttachError::system("cannot load the probe's types"))?;
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let maps = std::mem::take(&mut object.maps);
    let mut placed = Vec::new();
    for (name, map) in &maps {
        placed.push((name.as_str(), fd(ebpf.map(name))?, map));
    }
    object.relocate_maps(placed.into_iter(), &sections).map_err(AttachError::load)?;
    object.relocate_calls(&sections).map_err(AttachError::load)?;
    object.sanitize_functions(aya::features());
    let license: CString = object.license.clone();
    for hook in Hook::ALL {
        let program = object.programs.get(hook.name()).ok_or(AttachError::NoProbe)?;
        let function = object
            .functions
            .get(&(program.section_index, program.address))
            .ok_or(AttachError::NoProbe)?;
        let program = kernel::load_program(function, &license, types.as_ref().map(AsFd::as_fd))
            .map_err(AttachError::system("the kernel does not take the probe"))?;
        into.push(program);
    }
    match into.first() {
        Some(program) if kernel::links_many(program.as_fd()) => Ok(()),
        _ => {
            Err(AttachError::Kernel("such links are not there, or for one thread only".to_owned()))
        }
    }
}
