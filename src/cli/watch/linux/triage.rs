//! `unfreed attach --triage`: who makes the memory of running processes grow, and whether a full trace is worth it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use unfreed::collect::agent::warn_before_end;
use unfreed::collect::ebpf::Attach;
use unfreed::collect::sink::{Coverage, Living, Sink};
use unfreed::event::{Event, ProcessId, StackId, What};
use unfreed::ledger::Ledger;
use unfreed::names::identify;
use unfreed::report::json;
use unfreed::report::triage::{Triage, assemble, text};

use super::super::super::Outcome;
use super::super::super::conclusion::{namer, tell_notices};
use super::super::super::fail::{Failure, Told};
use super::super::super::options::{Analysis, Form};
use super::super::super::output::{Io, deliver};
use super::super::super::progress::silence_if;
use super::super::Whom;
use super::{cannot_attach, packages, tell_attached, wish};

/// Watches and says.
pub fn triage(
    whom: &Whom,
    duration: Option<Duration>,
    analysis: &Analysis,
    form: &Form,
    io: &Io,
) -> Result<Outcome, Failure> {
    silence_if(form.quiet);
    let packages = packages();
    let attach = Attach::prepare(wish(whom, true)).map_err(cannot_attach)?;
    let mut takers = Takers {
        ledger: Ledger::default(),
        blocks: Vec::new(),
        tell: (!form.quiet).then_some(*io),
        told: 0,
    };
    let mut identify = |path: &Path| identify(path, &packages);
    warn_before_end();
    let began = Instant::now();
    let grown = attach.triage(duration, &mut identify, &mut takers).map_err(cannot_attach)?;
    let watched = began.elapsed().as_secs_f64();
    let mut namer = namer(analysis);
    let triage = assemble(&takers.ledger, &mut namer, watched, &grown, &takers.blocks);
    tell_notices(&namer, form, io);
    conclude(&triage, form, io)
}

fn conclude(triage: &Triage, form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let rendered = if form.json {
        json::render(triage).told(|| "cannot write the result as JSON".to_owned())?
    } else {
        text::render(triage, form.style(io))
    };
    deliver(rendered.as_bytes(), form.output.as_deref())?;
    Ok(Outcome::Clear)
}

/// The ledger, which knows stacks and modules, and the stacks of what grew.
struct Takers {
    ledger: Ledger,
    blocks: Vec<(ProcessId, StackId)>,
    tell: Option<Io>,
    told: usize,
}

impl Sink for Takers {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        tell_attached(event, self.tell, &mut self.told);
        if let What::Alloc(alloc) = &event.what {
            self.blocks.push((event.process, alloc.stack));
        }
        self.ledger.apply(event);
        Ok(())
    }

    fn living(&self, _: ProcessId, _: &mut dyn FnMut(Living)) -> Option<Coverage> {
        None
    }
}
