//! What an entry tells people to do, given where they stand: the remedy of a match, what to know besides, and how to
//! prove afterwards that it worked.

use super::entry::{Entry, Origin, RelationKind, RemedyKind};
use super::matched::{Command, Remedy, Status};
use super::version::Scheme;

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
        let open = !matches!(status, Status::AlreadyFixed | Status::DoesNotApply);
        Remedy {
            kind: open.then_some(self.remedy.kind),
            from: self.remedy.from.clone().filter(|_| status != Status::SwitchMissing && open),
            version: self.remedy.version.clone(),
            files: files.collect(),
            steps,
            restart: self.restart.says.clone(),
            prerequisites: self.prerequisites.iter().map(|wanted| wanted.in_words()).collect(),
            settings: self.settings.iter().map(|s| format!("{} = {}", s.name, s.on)).collect(),
            commands: self
                .settings
                .iter()
                .map(|setting| Command {
                    setting: setting.name.clone(),
                    read: setting.read.clone(),
                    set: setting.set.clone(),
                })
                .collect(),
            limits: if open { self.remedy.limits.clone() } else { Vec::new() },
            verify: if open { self.verification(status) } else { Vec::new() },
        }
    }

    /// How to see that the fix is there and works: what is installed, what is set, what no longer grows.
    fn verification(&self, status: Status) -> Vec<String> {
        if self.remedy.kind == RemedyKind::None {
            return Vec::new();
        }
        let mut all = self.remedy.verify.clone();
        for line in self.lines.iter().filter(|_| status != Status::SwitchMissing) {
            let fixed: Vec<String> = line
                .files
                .iter()
                .filter_map(|file| Some(format!("{} {}", file.name, file.fixed.as_ref()?)))
                .collect();
            match (line.scheme, fixed.is_empty(), line.fixed_level) {
                (Scheme::Windows, false, _) => all.push(format!(
                    "{}: a new trace must show {} or later as loaded",
                    line.product,
                    fixed.join(" and ")
                )),
                (_, false, _) => all.push(format!(
                    "{} or later, or a package whose changelog names the fix",
                    fixed.join(" and ")
                )),
                (_, true, Some(level)) => {
                    all.push(format!("{} must be at {level} or later", line.product));
                }
                (_, true, None) => {}
            }
        }
        all.extend(
            self.settings
                .iter()
                .map(|setting| format!("`{}` must show {}", setting.read, setting.on)),
        );
        all.push(
            "record again under the same load and compare: in `unfreed diff BEFORE AFTER` this site must have stopped \
             growing"
                .to_owned(),
        );
        all
    }

    /// Publications to know of besides this one: each only where it helps whoever stands there.
    pub(super) fn related(&self, status: Status) -> Vec<String> {
        let told = |kind| match kind {
            RelationKind::SameSymptom | RelationKind::SupersededBy | RelationKind::InRollup => {
                status != Status::DoesNotApply
            }
            RelationKind::Residual | RelationKind::RecursIn | RelationKind::ResidualAfter => {
                status != Status::DoesNotApply
            }
            RelationKind::Sibling | RelationKind::RecursAfter | RelationKind::Cites => false,
        };
        let relations = self.relations.iter().filter(|relation| told(relation.kind));
        let words = relations.map(|r| format!("{} {}: {}", r.kind.in_words(), r.id, r.says));
        words.collect()
    }

    /// The first source in one line.
    pub(super) fn source_line(&self) -> String {
        self.sources.first().map_or_else(String::new, |source| source.in_words())
    }

    /// Who vouches for it, where that is not unfreed.
    pub fn origin_line(&self) -> Option<String> {
        self.origin.in_words()
    }
}

impl Origin {
    /// Who vouches, where that is not unfreed.
    pub(super) fn in_words(&self) -> Option<String> {
        match self {
            Origin::Embedded => None,
            Origin::User(path) => {
                Some(format!("your own catalogue, not checked by unfreed: {}", path.display()))
            }
        }
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
