//! The files that the founding articles are about, as stand-ins: names, versions before the fix, and
//! functions for the stacks that the tests construct. Where an article names no function, neither the
//! product nor this does: `Save` and the like are made up.

use super::{Built, Machine, Spec, dll};

/// A file of a product.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// The article it belongs to, by its fix's id.
    pub article: &'static str,
    pub name: &'static str,
    /// A version that the article is about.
    pub version: &'static str,
    pub functions: &'static [&'static str],
}

impl Product {
    /// Its stand-in. The products of the articles were x86.
    pub fn built(&self, machine: Machine) -> Built {
        let Product { name, version, functions, .. } = *self;
        dll(Spec { name, version, machine, functions })
    }
}

pub const PRODUCTS: &[Product] = &[
    Product {
        article: "KB896064",
        name: "Cdoexm.dll",
        version: "6.0.6603.1",
        functions: &["DllGetClassObject", "CMailbox::Save", ".list"],
    },
    Product {
        article: "KB843523",
        name: "Emsmdb32.dll",
        version: "6.5.7226.0",
        functions: &[
            "IExchangeExportChanges::Synchronize",
            "IExchangeExportChanges::UpdateState",
            ".keep",
        ],
    },
    Product {
        article: "KB891509",
        name: "Cdo.dll",
        version: "6.5.7226.0",
        functions: &["CSession::Logon", "CSession::Logoff"],
    },
    Product {
        article: "KB891509",
        name: "Mapi32.dll",
        version: "6.5.7226.0",
        functions: &["MAPILogonEx", "MAPIAllocateBuffer", "MAPIAllocateMore", ".create_heap"],
    },
    Product {
        article: "KB900326",
        name: "Exsmtp.dll",
        version: "6.5.7226.0",
        functions: &["CMessage::AddRef", "CMessage::Release", ".refer"],
    },
    Product {
        article: "KB900326",
        name: "Drviis.dll",
        version: "6.5.7226.0",
        functions: &["CSubmission::Send", ".move_recipient"],
    },
    Product {
        article: "Q265514",
        name: "Store-provider.dll",
        version: "5.5.2653.12",
        functions: &["IMAPISession::OpenMsgStore", "CStore::Init"],
    },
];
