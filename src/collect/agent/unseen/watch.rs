//! Looks at modules on a thread of its own: files are read meanwhile, and the rings must not wait.
//! A process has one look at a time under way; what was found is handed out when asked for.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use super::super::record::ModuleSeen;
use super::Unseen;
use crate::event::Fact;

/// The thread, and what is under way.
pub(in super::super) struct UnseenWatch {
    jobs: Option<Sender<Job>>,
    found: Receiver<Found>,
    thread: Option<JoinHandle<()>>,
    under_way: BTreeSet<u32>,
    known: BTreeSet<u32>,
}

enum Job {
    Look { process: u32, pid: u32, name: String, modules: Vec<ModuleSeen> },
    Forget { process: u32 },
}

struct Found {
    process: u32,
    facts: Vec<Fact>,
}

impl UnseenWatch {
    /// Starts the thread.
    pub(in super::super) fn start() -> io::Result<UnseenWatch> {
        let (jobs, to_do) = channel();
        let (done, found) = channel();
        let work = move || {
            let mut unseen = Unseen::default();
            while let Ok(job) = to_do.recv() {
                match job {
                    Job::Look { process, pid, name, modules } => {
                        let facts = unseen.look(process, pid, &name, &modules);
                        if done.send(Found { process, facts }).is_err() {
                            return;
                        }
                    }
                    Job::Forget { process } => unseen.forget(process),
                }
            }
        };
        let thread = Builder::new().name("modules".to_owned()).spawn(work)?;
        let (under_way, known) = (BTreeSet::new(), BTreeSet::new());
        Ok(UnseenWatch { jobs: Some(jobs), found, thread: Some(thread), under_way, known })
    }

    /// Has a process's modules looked at. `process` is its number in the session, `name` its own.
    pub(in super::super) fn look(
        &mut self,
        process: u32,
        pid: u32,
        name: &str,
        modules: &[ModuleSeen],
    ) {
        if !self.under_way.insert(process) {
            return;
        }
        self.known.insert(process);
        let (name, modules) = (name.to_owned(), modules.to_vec());
        self.send(Job::Look { process, pid, name, modules });
    }

    /// Forgets a process that has ended.
    pub(in super::super) fn forget(&mut self, process: u32) {
        if self.known.remove(&process) {
            self.send(Job::Forget { process });
        }
    }

    fn send(&self, job: Job) {
        // The thread ends only when it is told to, or by a bug that has said so itself.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }

    /// What was found since: of which process, what.
    pub(in super::super) fn found(&mut self) -> Vec<(u32, Fact)> {
        let mut facts = Vec::new();
        for found in self.found.try_iter() {
            self.under_way.remove(&found.process);
            facts.extend(found.facts.into_iter().map(|fact| (found.process, fact)));
        }
        facts
    }

    /// Waits for what is under way, and ends the thread.
    pub(in super::super) fn finish(&mut self) -> Vec<(u32, Fact)> {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.found()
    }
}
