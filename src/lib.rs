//! unfreed finds what a messaging process never frees, names the module and the version to
//! blame, and suggests the fix that is already published.
//!
//! Data flows one way: a source yields events, the ledger folds them, the verdict judges,
//! the fixes are matched, a report is written. No module imports a later one; `docs/architecture.md`
//! has the map and the invariants.

pub mod event;

pub mod collect;
pub mod read;

pub mod ledger;

#[cfg(target_os = "linux")]
pub mod dump;

pub mod verdict;

pub mod names;

pub mod fixes;

pub mod report;

pub mod export;

pub mod bundle;
pub mod dashboard;
