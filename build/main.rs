//! Builds what the one binary carries inside: the agent, and the demo's programs. Both are for
//! x86-64 Linux alone; elsewhere the binary is built without them and says so when asked.

mod agent;
mod demo;

use std::env;
use std::path::PathBuf;

fn main() -> Result<(), String> {
    let target = env::var("TARGET").map_err(|e| format!("TARGET: {e}"))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    println!("cargo::rustc-check-cfg=cfg(unfreed_agent)");
    println!("cargo::rerun-if-changed=build");
    if target.starts_with("x86_64-") && target.contains("-linux-") {
        agent::build(&target, &out)?;
        demo::build(&out)?;
        println!("cargo::rustc-cfg=unfreed_agent");
    }
    Ok(())
}
