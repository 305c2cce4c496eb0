//! What the soak is asked for on its command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Watches unmodified daemons under load, and says whom the judge accuses.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench daemons --")]
pub struct Options {
    /// How long the daemons run
    #[arg(long, default_value_t = 25.0)]
    minutes: f64,
    /// How much more load than 25 messages a second for each broker, and the like for the others
    #[arg(long, default_value_t = 1.0)]
    pub load: f64,
    /// Keep the recordings in this directory, which is made
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Run nothing: judge what was kept there
    #[arg(long, value_name = "DIR", conflicts_with = "keep")]
    pub judge: Option<PathBuf>,
    /// Where the pseudo-random choices of the load begin
    #[arg(long, default_value_t = 20_260_117)]
    pub seed: u64,
    /// What Cargo says when it wants a measurement
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// How long the daemons run.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }
}
