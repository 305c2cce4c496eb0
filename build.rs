//! Builds what the one binary carries inside: the agent, and the demo's programs.
//!
//! The agent is compiled by calling the compiler directly: its two crates depend on nothing else,
//! and a Cargo inside a Cargo would have to agree with it on locks, profiles and targets.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), String> {
    let target = env::var("TARGET").map_err(|e| format!("TARGET: {e}"))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    println!("cargo::rustc-check-cfg=cfg(unfreed_agent)");
    for input in ["build.rs", "agent", "wire"] {
        println!("cargo::rerun-if-changed={input}");
    }
    if target.starts_with("x86_64-") && target.contains("-linux-") {
        build_agent(&target, &out)?;
        println!("cargo::rustc-cfg=unfreed_agent");
    }
    Ok(())
}

fn build_agent(target: &str, out: &Path) -> Result<(), String> {
    rustc(target, out, "unfreed_wire", "rlib", Path::new("wire/src/lib.rs"), &[])?;
    let wire = format!("unfreed_wire={}", out.join("libunfreed_wire.rlib").display());
    rustc(
        target,
        out,
        "unfreed_agent",
        "cdylib",
        Path::new("agent/src/lib.rs"),
        &["--extern", &wire, "--cfg", "feature=\"preload\"", "-Cstrip=symbols"],
    )
}

fn rustc(
    target: &str,
    out: &Path,
    name: &str,
    kind: &str,
    source: &Path,
    more: &[&str],
) -> Result<(), String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(&compiler)
        .args(["--edition=2024", "--crate-name", name, "--crate-type", kind, "--target", target])
        .args(["-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort", "-Cforce-unwind-tables=yes"])
        .args(["--cap-lints=allow", "--out-dir"])
        .arg(out)
        .args(more)
        .arg(source)
        // Flags meant for the main build (sanitizers, coverage) must not reach the agent.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|e| format!("cannot start {}: {e}", compiler.display()))?;
    if !status.success() {
        return Err(format!(
            "{} could not compile {}: {status}",
            compiler.display(),
            source.display()
        ));
    }
    Ok(())
}
