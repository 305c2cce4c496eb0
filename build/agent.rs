//! The agent, compiled by calling the compiler directly: its two crates depend on nothing else,
//! and a Cargo inside a Cargo would have to agree with it on locks, profiles and targets.

use std::env;
use std::path::Path;
use std::process::Command;

/// Compiles `libunfreed_agent.so`.
pub fn build(target: &str, out: &Path) -> Result<(), String> {
    for input in ["agent", "wire"] {
        println!("cargo::rerun-if-changed={input}");
    }
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
