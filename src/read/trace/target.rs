//! Records about the target: processes and how they end, modules and what they are, facts.

use unfreed_symbols::{ModuleIdentity, Package, PdbId, PeFacts};

use super::cursor::{Cursor, Skip};
use super::sink::Sink;
use super::tags::{FACT_KINDS, MANAGERS, exit};
use crate::event::{Address, Bytes, Exit, Fact, Module, ModuleId, Process};

/// ```text
/// pid:        varint
/// parent:     varint
/// name:       string
/// command:    list of strings
/// from start: one byte, 0 or 1
/// sampled:    varint: mean bytes from one sampling point to the next, 0 for none; since version 2
/// ```
pub(super) fn put_process(sink: &mut Sink, process: &Process) {
    sink.varint(process.pid.into());
    sink.varint(process.parent.into());
    sink.str(&process.name);
    sink.list(&process.command, |sink, argument| sink.str(argument));
    sink.byte(process.from_start.into());
    sink.varint(process.sampled.map_or(0, |mean| mean.0));
}

pub(super) fn take_process(cursor: &mut Cursor<'_>) -> Result<Process, Skip> {
    Ok(Process {
        pid: cursor.u32()?,
        parent: cursor.u32()?,
        name: cursor.str()?,
        command: cursor.list(Cursor::str)?,
        from_start: cursor.bool()?,
        // Version 1 ends here.
        sampled: match if cursor.at_end() { 0 } else { cursor.varint()? } {
            0 => None,
            mean => Some(Bytes(mean)),
        },
    })
}

/// ```text
/// how:   one byte: 0 unknown, 1 status, 2 signal, 3 replaced, 4 still running
/// value: signed varint: the status or signal, else 0
/// ```
pub(super) fn put_exit(sink: &mut Sink, exit: Exit) {
    let (how, value) = match exit {
        Exit::Unknown => (exit::UNKNOWN, 0),
        Exit::Status(status) => (exit::STATUS, status),
        Exit::Signal(signal) => (exit::SIGNAL, signal),
        Exit::Replaced => (exit::REPLACED, 0),
        Exit::StillRunning => (exit::STILL_RUNNING, 0),
    };
    sink.byte(how);
    sink.signed(value.into());
}

pub(super) fn take_exit(cursor: &mut Cursor<'_>) -> Result<Exit, Skip> {
    let how = cursor.byte()?;
    let value = cursor.i32()?;
    Ok(match how {
        exit::UNKNOWN => Exit::Unknown,
        exit::STATUS => Exit::Status(value),
        exit::SIGNAL => Exit::Signal(value),
        exit::REPLACED => Exit::Replaced,
        exit::STILL_RUNNING => Exit::StillRunning,
        _ => {
            cursor.unknown_codes += 1;
            Exit::Unknown
        }
    })
}

/// ```text
/// id:           varint
/// base:         varint
/// size:         varint
/// name:         string
/// path:         string
/// soname:       optional string
/// build-id:     optional string
/// file version: optional string
/// pdb:          one byte, 0 none, else 1 and
///     guid:     string
///     age:      varint
///     name:     string
/// package:      one byte, 0 none, else the manager's code + 1 and
///     name:         string
///     version:      string
///     architecture: optional string
///     distribution: optional string
/// file size:    optional varint
/// pe:           nothing or byte 0 for none, else byte 1 and
///     timestamp:       varint
///     image size:      varint
///     product version: optional string
///     company:         optional string
/// ```
pub(super) fn put_module(sink: &mut Sink, module: &Module) {
    let identity = &module.identity;
    sink.varint(module.id.0.into());
    sink.varint(module.base.0);
    sink.varint(module.size.0);
    sink.str(&identity.name);
    sink.str(&identity.path);
    sink.optional_str(identity.soname.as_deref());
    sink.optional_str(identity.build_id.as_deref());
    sink.optional_str(identity.file_version.as_deref());
    match &identity.pdb {
        None => sink.byte(0),
        Some(pdb) => {
            sink.byte(1);
            sink.str(&pdb.guid);
            sink.varint(pdb.age.into());
            sink.str(&pdb.name);
        }
    }
    match &identity.package {
        None => sink.byte(0),
        Some(package) => {
            sink.byte(package.manager as u8 + 1);
            sink.str(&package.name);
            sink.str(&package.version);
            sink.optional_str(package.architecture.as_deref());
            sink.optional_str(package.distribution.as_deref());
        }
    }
    sink.optional(identity.file_size);
    if let Some(pe) = &identity.pe {
        sink.byte(1);
        sink.varint(pe.timestamp.into());
        sink.varint(pe.image_size.into());
        sink.optional_str(pe.product_version.as_deref());
        sink.optional_str(pe.company.as_deref());
    }
}

pub(super) fn take_module(cursor: &mut Cursor<'_>) -> Result<Module, Skip> {
    let id = ModuleId(cursor.u32()?);
    let base = Address(cursor.varint()?);
    let size = Bytes(cursor.varint()?);
    let identity = ModuleIdentity {
        name: cursor.str()?,
        path: cursor.str()?,
        soname: cursor.optional_str()?,
        build_id: cursor.optional_str()?,
        file_version: cursor.optional_str()?,
        pdb: take_pdb(cursor)?,
        package: take_package(cursor)?,
        file_size: cursor.optional()?,
        pe: if cursor.at_end() { None } else { take_pe(cursor)? },
    };
    Ok(Module { id, identity, base, size })
}

fn take_pe(cursor: &mut Cursor<'_>) -> Result<Option<PeFacts>, Skip> {
    if !cursor.bool()? {
        return Ok(None);
    }
    Ok(Some(PeFacts {
        timestamp: cursor.u32()?,
        image_size: cursor.u32()?,
        product_version: cursor.optional_str()?,
        company: cursor.optional_str()?,
    }))
}

fn take_pdb(cursor: &mut Cursor<'_>) -> Result<Option<PdbId>, Skip> {
    if !cursor.bool()? {
        return Ok(None);
    }
    Ok(Some(PdbId { guid: cursor.str()?, age: cursor.u32()?, name: cursor.str()? }))
}

/// A package whose manager is not known yet is counted and left out: its version could not be
/// compared.
fn take_package(cursor: &mut Cursor<'_>) -> Result<Option<Package>, Skip> {
    let Some(code) = cursor.byte()?.checked_sub(1) else { return Ok(None) };
    let manager = MANAGERS.get(usize::from(code)).copied();
    let name = cursor.str()?;
    let version = cursor.str()?;
    let architecture = cursor.optional_str()?;
    let distribution = cursor.optional_str()?;
    let Some(manager) = manager else {
        cursor.unknown_codes += 1;
        return Ok(None);
    };
    Ok(Some(Package { manager, name, version, architecture, distribution }))
}

/// ```text
/// kind:    one byte
/// subject: string
/// value:   optional string
/// ```
pub(super) fn put_fact(sink: &mut Sink, fact: &Fact) {
    sink.byte(fact.kind as u8);
    sink.str(&fact.subject);
    sink.optional_str(fact.value.as_deref());
}

pub(super) fn take_fact(cursor: &mut Cursor<'_>) -> Result<Fact, Skip> {
    Ok(Fact {
        kind: cursor.vital_code(&FACT_KINDS)?,
        subject: cursor.str()?,
        value: cursor.optional_str()?,
    })
}
