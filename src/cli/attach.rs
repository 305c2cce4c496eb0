//! `unfreed attach`: watches the allocations of processes that run already, says what they never free.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::Outcome;
use super::conclusion::Analyst;
use super::fail::Failure;
use super::options::{Analysis, Form};
use super::output::Io;
use super::quantity;
use super::reporting::ReportOptions;
use super::run::{Asked, watch_and_report};
use super::watch::{self, Watch, Whom};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// The processes, by number or by name (of their program, or their own); all of a name are meant
    #[arg(value_name = "PID|NAME", required_unless_present_any = ["unit", "cgroup"])]
    who: Vec<String>,
    /// All processes of the systemd service NAME
    #[arg(long, value_name = "NAME")]
    unit: Vec<String>,
    /// All processes in the control group PATH and below: a container, a slice
    #[arg(long, value_name = "PATH")]
    cgroup: Vec<String>,
    /// Wait for processes of these names, those that come later too; until TIME is over or Ctrl-C
    #[arg(long)]
    wait: bool,
    /// Only say who makes their memory grow, at no cost to speak of, and whether a full trace is worth it
    #[arg(long, conflicts_with_all = ["scan", "wait"])]
    triage: bool,
    /// Stop watching after TIME (30s, 5m, 1h30m); the processes run on
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    duration: Option<Duration>,
    /// Sample: see on average one of every BYTES allocated (512KiB, 1M), and estimate the whole; 0
    /// sees every allocation. Every call is trapped all the same
    #[arg(long, value_name = "BYTES", default_value = "0", conflicts_with = "triage", value_parser = quantity::sampling)]
    sample: u64,
    /// In the end, stop the processes briefly and look which live blocks they still refer to
    #[arg(long)]
    scan: bool,
    /// How long all processes together may stand still to be scanned
    #[arg(long, value_name = "TIME", requires = "scan", default_value = "1s", value_parser = quantity::duration)]
    scan_limit: Duration,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    report: ReportOptions,
}

impl Args {
    fn whom(&self) -> Whom {
        Whom {
            who: self.who.clone(),
            units: self.unit.clone(),
            groups: self.cgroup.clone(),
            wait: self.wait,
            sample: self.sample,
        }
    }
}

/// Attaches and reports.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    args.report.check()?;
    if args.triage {
        return watch::triage(&args.whom(), args.duration, &args.analysis, &args.form, io);
    }
    let analyst = Analyst::prepare(&args.analysis)?;
    let watch = Watch::attach(&args.whom(), (!args.form.quiet).then_some(*io))?;
    let asked = Asked {
        duration: args.duration,
        target_status: false,
        form: &args.form,
        report: &args.report,
    };
    let watch = watch.scan(args.scan.then_some(args.scan_limit));
    watch_and_report(watch, &asked, analyst, io)
}
