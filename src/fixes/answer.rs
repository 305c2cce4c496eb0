//! What an entry tells people to do, given where they stand: the remedy of a match.

use super::entry::Entry;
use super::matched::{Remedy, Status};

impl Entry {
    /// What applying the fix takes, for a match of this status.
    pub(super) fn remedy_for(&self, status: Status) -> Remedy {
        let files = self.lines.iter().flat_map(|line| &line.files);
        let files = files.filter_map(|file| {
            let fixed = file.fixed.as_ref()?;
            Some(format!("{} {fixed}", file.name))
        });
        let steps = match status {
            Status::Applies | Status::Possible => self.remedy.steps.clone(),
            Status::SwitchMissing => self
                .settings
                .iter()
                .flat_map(|setting| {
                    [format!("Read it: {}", setting.read), format!("Set it: {}", setting.set)]
                })
                .collect(),
            Status::AlreadyFixed | Status::DoesNotApply => Vec::new(),
        };
        Remedy {
            version: self.remedy.version.clone(),
            files: files.collect(),
            steps,
            restart: self.restart.says.clone(),
            prerequisites: self.prerequisites.iter().map(|wanted| wanted.in_words()).collect(),
            settings: self.settings.iter().map(|s| format!("{} = {}", s.name, s.on)).collect(),
        }
    }

    /// The first source in one line.
    pub(super) fn source_line(&self) -> String {
        self.sources.first().map_or_else(String::new, |source| source.in_words())
    }
}

impl super::entry::Prerequisite {
    /// `what (see where)`.
    pub(super) fn in_words(&self) -> String {
        match &self.see {
            Some(see) => format!("{} (see {see})", self.what),
            None => self.what.clone(),
        }
    }
}

impl super::entry::Source {
    /// `title, revision, address`.
    pub(super) fn in_words(&self) -> String {
        let parts = [Some(&self.title), self.revision.as_ref(), self.url.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
