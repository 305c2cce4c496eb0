//! Products and their levels, told by the builds of their own programs: where nobody read on the target which service
//! pack is installed, `Store.exe 5.5.2650.24` says it. Only programs and libraries count that no other product ships.
//! A hotfix is numbered between the service pack it needs and the next, so a build belongs to the last level at or under it.
//! Microsoft's own list (article 158530) was not at hand. The builds of 4.0 to 2003 are those of one public copy of it, the
//! `ms-exchange-versions-dict.json` of `righel/ms-exchange-version-nse`; those of 4.0 to 2000 SP2 agree with a second, the gist
//! `mxpv/3993088`, and 7638 for SP2 of 2003 with Microsoft's documentation of `NameSpace.ExchangeMailboxServerVersion`. 2000 SP3 and
//! 2003 before SP2 rest on the one copy. Where sources differ on what a build is of, it tells the product and no level.

use unfreed_symbols::ModuleIdentity;

use super::product::{Level, Product};
use super::version::FileVersion;

/// A product line: its name, the leading numbers of its versions, and the first build of each level.
struct Builds {
    product: &'static str,
    numbers: [u32; 2],
    levels: &'static [u32],
    /// Builds that tell no level, up to this revision.
    unclear: Option<(u32, u32)>,
}

/// Levels in order, the first that of the product as released.
const EXCHANGE: [Builds; 5] = [
    Builds {
        product: "Exchange Server 4.0",
        numbers: [4, 0],
        levels: &[837, 838, 993, 994, 995, 996],
        // By one of the lists 4.0a is of build 993, too.
        unclear: Some((993, u32::MAX)),
    },
    Builds {
        product: "Exchange Server 5.0",
        numbers: [5, 0],
        levels: &[1457, 1458, 1460],
        unclear: None,
    },
    Builds {
        product: "Exchange Server 5.5",
        numbers: [5, 5],
        levels: &[1960, 2232, 2448, 2650, 2653],
        // Q216259 is about builds to 2448.7, and SP2, from 2448.8 on, mends it.
        unclear: Some((2448, 7)),
    },
    Builds {
        product: "Exchange Server 2000",
        numbers: [6, 0],
        levels: &[4417, 4712, 5762, 6249],
        unclear: None,
    },
    Builds {
        product: "Exchange Server 2003",
        numbers: [6, 5],
        levels: &[6944, 7226, 7638],
        unclear: None,
    },
];

/// Files that only an Exchange server has.
const PROGRAMS: [&str; 6] =
    ["store.exe", "emsmta.exe", "dsamain.exe", "mad.exe", "exsmtp.dll", "drviis.dll"];

/// A product and level that a module's build tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduced {
    /// The product's name.
    pub product: &'static str,
    /// The last level at or under the build; `None` where the build tells the product alone.
    pub level: Option<Level>,
    /// The module that tells it, with its version.
    pub by: String,
}

impl Deduced {
    /// What one module tells; `None` for a module of no known product, or a build before the first release.
    pub fn of(module: &ModuleIdentity) -> Option<Deduced> {
        if !PROGRAMS.iter().any(|name| module.name.eq_ignore_ascii_case(name)) {
            return None;
        }
        let version = FileVersion::parse(module.file_version.as_deref()?)?;
        let [major, minor, build, ref rest @ ..] = *version.parts() else { return None };
        let line = EXCHANGE.iter().find(|line| line.numbers == [major, minor])?;
        let level = line.levels.iter().rposition(|&first| first <= build)?;
        let by = format!("{} {version}", module.name);
        let revision = rest.first().copied().unwrap_or(0);
        let unclear = line.unclear.is_some_and(|(of, last)| of == build && revision <= last);
        let level = Level(u32::try_from(level).ok()?);
        Some(Deduced { product: line.product, level: (!unclear).then_some(level), by })
    }

    /// Whether it is about this product.
    pub fn is_of(&self, product: &Product) -> bool {
        Product::parse(self.product) == *product
    }

    /// Whether it is about another product of this one's family.
    pub fn is_sibling_of(&self, product: &Product) -> bool {
        Product::parse(self.product).is_sibling_of(product)
    }
}
