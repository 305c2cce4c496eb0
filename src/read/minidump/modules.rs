//! What a minidump says of a module, as an identity.

use minidump::system_info::Os;
use minidump::{CodeView, MinidumpModule, Module as _};
use unfreed_symbols::{ModuleIdentity, PdbId, PeFacts};

/// Of a file version, the upper half that Windows 8.1 and later tell a program that does not say it knows them.
const TOLD_TO_THE_OLD: u32 = 0x0006_0002;
/// What a version resource begins with.
const SIGNATURE: u32 = 0xfeef_04bd;

/// A module's identity.
pub(super) fn identity(module: &MinidumpModule, os: Os) -> ModuleIdentity {
    let path = module.code_file();
    let mut identity = ModuleIdentity::of_path(&path);
    match &module.codeview_info {
        Some(CodeView::Pdb70(record)) => {
            let guid = &record.signature;
            let tail: String = guid.data4.iter().map(|byte| format!("{byte:02X}")).collect();
            identity.pdb = Some(PdbId {
                guid: format!("{:08X}{:04X}{:04X}{tail}", guid.data1, guid.data2, guid.data3),
                age: record.age,
                name: module.debug_file().unwrap_or_default().into_owned(),
            });
        }
        Some(CodeView::Elf(record)) if record.build_id.iter().any(|byte| *byte != 0) => {
            identity.build_id =
                Some(record.build_id.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        _ => {}
    }
    if os == Os::Windows {
        let info = &module.raw.version_info;
        let has_version = info.signature == SIGNATURE;
        let file = (info.file_version_hi, info.file_version_lo);
        let product = (info.product_version_hi, info.product_version_lo);
        identity.file_version = has_version.then(|| quad(file_version(file, product)));
        identity.pe = Some(PeFacts {
            timestamp: module.raw.time_date_stamp,
            image_size: module.raw.size_of_image,
            product_version: has_version.then(|| quad(product)),
            company: None,
        });
    }
    identity
}

/// The file version that the file has. Windows tells a dump's writer that does not say it knows Windows 8.1 that the
/// system's own files are of 6.2, and the true upper half stands in the product version alone: one ntdll.dll of build
/// 17134 says 6.2.17134.254, and 10.0 there.
fn file_version(file: (u32, u32), product: (u32, u32)) -> (u32, u32) {
    let told = file.0 == TOLD_TO_THE_OLD && product.0 > TOLD_TO_THE_OLD && file.1 == product.1;
    if told { product } else { file }
}

fn quad((upper, lower): (u32, u32)) -> String {
    format!("{}.{}.{}.{}", upper >> 16, upper & 0xffff, lower >> 16, lower & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_told_to_old_programs_is_seen_through() {
        let version = |file, product| quad(file_version(file, product));
        assert_eq!(version((0x6_0002, 0x42ee_00fe), (0xa_0000, 0x42ee_00fe)), "10.0.17134.254");
        // A file that is of 6.2 itself, and one whose product goes by other numbers.
        assert_eq!(version((0x6_0002, 0x2380_4000), (0x6_0002, 0x2380_4000)), "6.2.9088.16384");
        assert_eq!(version((0x6_0005, 0x1c41_001f), (0xa_0000, 0x1c41_001f)), "6.5.7233.31");
        assert_eq!(version((0x6_0002, 1), (0xa_0000, 2)), "6.2.0.1");
    }
}
