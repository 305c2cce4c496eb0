//! The probe's stacks against an independent unwinder's, libgcc's, in the same run: every frame of every stack must be
//! the same, over more than 100,000 allocations of C, C++, Rust and Python programs.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::ffi::OsString;
use std::path::Path;

use attached::{require_attach, stacks};
use support::oracle::{self, Agreement};

/// Most allocations that are compared in one run.
const MOST: u64 = 200_000;

#[track_caller]
fn check(command: &[OsString], least: u64) {
    let (run, traced) = stacks::both(command, MOST, &[]);
    let ours = stacks::allocations(&traced);
    let agreement = oracle::compare(&run.allocations, &ours, std::slice::from_ref(&run.own))
        .unwrap_or_else(|difference| panic!("{difference}"));
    println!("{}: {agreement:?}", Path::new(&command[0]).display());
    assert_whole(agreement, least);
}

#[track_caller]
fn assert_whole(agreement: Agreement, least: u64) {
    assert!(agreement.whole >= least, "too few to prove anything: {agreement:?}");
    assert!(agreement.partial * 100 <= agreement.whole, "cut short: {agreement:?}");
}

#[test]
fn stacks_of_c_agree() {
    require_attach!();
    check(&stacks::c(), 40_000);
}

#[test]
fn stacks_of_cxx_agree() {
    support::require!("c++");
    require_attach!();
    check(&stacks::cxx(), 30_000);
}

#[test]
fn stacks_of_rust_agree() {
    let rustc = support::require!("rustc");
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    check(&stacks::rust(rustc.as_ref(), directory.path()), 15_000);
}

#[test]
fn stacks_of_python_agree() {
    let python = support::require!("python3");
    require_attach!();
    check(&stacks::python(python.as_ref()), 20_000);
}
