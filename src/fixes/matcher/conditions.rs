//! The conditions of an entry, held against facts and modules where they say how. One that fails ends the match, for they
//! are an AND list; one that cannot be checked is asked of the reader and changes no status: a status says what is
//! established, and no trace shows that a program uses impersonation.

use super::settings::{canonical, same_value};
use super::view::{View, is_called};
use crate::event::FactKind;
use crate::fixes::builds::Deduced;
use crate::fixes::entry::{Check, Condition};
use crate::fixes::matched::{Reason, Standing};
use crate::fixes::product::Product;

/// Judges every condition.
pub(super) fn judge(conditions: &[Condition], view: &View<'_>) -> Vec<Reason> {
    conditions.iter().map(|condition| judge_one(condition, view)).collect()
}

fn judge_one(condition: &Condition, view: &View<'_>) -> Reason {
    let found = condition.check.as_ref().map(|check| hold(check, view));
    let (standing, seen) = found
        .unwrap_or_else(|| (Standing::Unknown, "a trace cannot show this; confirm it".to_owned()));
    let ask = condition.ask.as_ref().filter(|_| standing == Standing::Unknown);
    let ask = ask.map(|ask| format!(": {ask}")).unwrap_or_default();
    let text = format!("{} ({seen}{ask})", condition.says);
    Reason { clause: "condition".to_owned(), standing, text }
}

fn hold(check: &Check, view: &View<'_>) -> (Standing, String) {
    match check {
        Check::Module(name) => {
            if view.evidence.modules.iter().any(|module| is_called(module, name)) {
                (Standing::Yes, format!("{name} is loaded"))
            } else {
                (Standing::Unknown, format!("{name} was not seen loaded, which proves nothing"))
            }
        }
        Check::Product(name) => product(name, view),
        Check::Setting { name, values } => {
            let path = canonical(name);
            let mut facts = view.evidence.facts.iter();
            let fact = facts
                .rfind(|f| f.kind == FactKind::Setting && canonical(&f.subject) == path)
                .map(|fact| fact.value.as_deref());
            match fact {
                None => (Standing::Unknown, format!("{name} was not read")),
                Some(None) => (Standing::Unknown, format!("{name} is absent")),
                Some(Some(value)) => {
                    let holds = values.iter().any(|wanted| same_value(value, wanted));
                    let standing = if holds { Standing::Yes } else { Standing::No };
                    (standing, format!("{name} is {value}"))
                }
            }
        }
    }
}

/// Whether a product is there: a fact says so, or says that it was looked for in vain, or names another of its family;
/// where no fact speaks, the builds of its own programs do.
fn product(name: &str, view: &View<'_>) -> (Standing, String) {
    let wanted = Product::parse(name);
    let facts = view.evidence.facts.iter().filter(|fact| fact.kind == FactKind::Product);
    let mut sibling = None;
    for fact in facts {
        let product = Product::parse(&fact.subject);
        match &fact.value {
            Some(value) if product == wanted => {
                return (Standing::Yes, format!("the target has {name}, {value}"));
            }
            None if product == wanted => {
                return (Standing::No, format!("{name} was looked for and is not there"));
            }
            Some(_) if product.is_sibling_of(&wanted) => sibling = Some(&fact.subject),
            _ => {}
        }
    }
    if let Some(other) = sibling {
        return (Standing::No, format!("the target has {other}"));
    }
    let mut deduced = view.evidence.modules.iter().filter_map(|module| Deduced::of(module));
    match deduced.find(|deduced| deduced.is_of(&wanted) || deduced.is_sibling_of(&wanted)) {
        Some(own) if own.is_of(&wanted) => (Standing::Yes, format!("{} is of {name}", own.by)),
        Some(other) => (Standing::No, format!("{} is of {}", other.by, other.product)),
        None => (Standing::Unknown, format!("whether the target has {name} was not read")),
    }
}

/// Whether the target is of the platform that a product line is limited to.
pub(super) fn platform(name: &str, view: &View<'_>) -> Reason {
    let (standing, seen) = product(name, view);
    let text = format!("the source is about {name} only ({seen})");
    Reason { clause: "platform".to_owned(), standing, text }
}

/// Whether something that was recorded shows that the entry is about this target: a checked condition holds.
pub(super) fn is_established(conditions: &[Condition], view: &View<'_>) -> bool {
    let mut checks = conditions.iter().filter_map(|condition| condition.check.as_ref());
    checks.any(|check| hold(check, view).0 == Standing::Yes)
}
