//! Product levels: what facts read on the target say of the product an entry is about. A
//! service pack that is established settles what no file version can; a product that nobody
//! looked for settles nothing. Where no fact speaks, the builds of the product's own programs do.

use super::view::View;
use crate::event::{Fact, FactKind};
use crate::fixes::builds::Deduced;
use crate::fixes::entry::Line;
use crate::fixes::matched::{Reason, Standing};
use crate::fixes::product::{Level, Product};

/// What facts say of a line's product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// No fact speaks of it.
    NotSeen,
    /// It is there at a level that carries the fix.
    Fixed,
    /// It is there at a level at which the source says it is faulty.
    Affected,
    /// It is there, at a level that the source says nothing of, or that cannot be read.
    Unclear,
    /// It is not there; or only another product of its family is.
    Elsewhere,
}

/// Judges facts and builds; with a reason, unless there is nothing to say.
pub(super) fn judge(line: &Line, view: &View<'_>) -> (Finding, Option<Reason>) {
    let (mut finding, mut text) = find(line, view.evidence.facts);
    if finding == Finding::NotSeen
        && let Some(deduced) = deduce(line, view)
    {
        (finding, text) = deduced;
    }
    let standing = match finding {
        Finding::NotSeen | Finding::Unclear => Standing::Unknown,
        Finding::Affected => Standing::Yes,
        Finding::Fixed | Finding::Elsewhere => Standing::No,
    };
    let nothing = finding == Finding::NotSeen && !line.files.is_empty();
    let reason = Reason { clause: "product".to_owned(), standing, text };
    (finding, (!nothing).then_some(reason))
}

fn find(line: &Line, facts: &[Fact]) -> (Finding, String) {
    let wanted = Product::parse(&line.product);
    let products = facts.iter().filter(|fact| fact.kind == FactKind::Product);
    let products = products.map(|fact| (fact, Product::parse(&fact.subject)));
    let (mut values, mut missing, mut sibling) = (Vec::new(), false, None);
    for (fact, product) in products {
        match &fact.value {
            Some(value) if product == wanted => values.push(value.as_str()),
            None if product == wanted => missing = true,
            Some(_) if product.is_sibling_of(&wanted) => sibling = Some(&fact.subject),
            _ => {}
        }
    }
    values.dedup();
    let name = &line.product;
    match (values.as_slice(), missing, sibling) {
        ([value], false, _) => level(line, value),
        ([], true, _) => (Finding::Elsewhere, format!("{name} was looked for and is not there")),
        ([], false, Some(other)) => {
            (Finding::Elsewhere, format!("the target has {other}; the fix is about {name}"))
        }
        ([], false, None) => {
            let fixed = line.fixed_level.map(|level| format!("; {level} carries the fix"));
            let text = format!(
                "which level of {name} is installed was not read{}: look it up",
                fixed.unwrap_or_default()
            );
            (Finding::NotSeen, text)
        }
        _ => (Finding::Unclear, format!("what was read of {name} contradicts itself")),
    }
}

/// What the builds of loaded programs say. A line that lists files of its own is judged by those.
fn deduce(line: &Line, view: &View<'_>) -> Option<(Finding, String)> {
    if !line.files.is_empty() {
        return None;
    }
    let wanted = Product::parse(&line.product);
    let deduced: Vec<_> = view.evidence.modules.iter().filter_map(|m| Deduced::of(m)).collect();
    let own: Vec<_> = deduced.iter().filter(|deduced| deduced.is_of(&wanted)).collect();
    let name = &line.product;
    let Some(first) = own.first() else {
        let other = deduced.iter().find(|deduced| deduced.is_sibling_of(&wanted))?;
        let text = format!("{} is of {}; the fix is about {name}", other.by, other.product);
        return Some((Finding::Elsewhere, text));
    };
    if let Some(unclear) = own.iter().find(|deduced| deduced.level.is_none()) {
        let text = format!("{} is of {name}, and its build tells no level: look it up", unclear.by);
        return Some((Finding::Unclear, text));
    }
    let first_level = first.level?;
    if let Some((by, other)) = own
        .iter()
        .find_map(|other| Some((&other.by, other.level.filter(|&its| its != first_level)?)))
    {
        let text =
            format!("{} is of {first_level}, {by} of {other}: {name} is updated in part", first.by);
        return Some((Finding::Unclear, text));
    }
    let (finding, text) = level(line, &first_level.to_string());
    Some((finding, format!("{text} (told by {})", first.by)))
}

fn level(line: &Line, value: &str) -> (Finding, String) {
    let name = &line.product;
    if line.levels.is_empty() && line.fixed_level.is_none() {
        return (Finding::Affected, format!("{name} is there, at {value}"));
    }
    let Some(level) = Level::parse(value) else {
        return (Finding::Unclear, format!("{name} is at `{value}`, which tells no service pack"));
    };
    if let Some(fixed) = line.fixed_level.filter(|&fixed| level >= fixed) {
        return (Finding::Fixed, format!("{name} is at {level}; {fixed} carries the fix"));
    }
    if line.levels.is_empty() || line.levels.contains(&level) {
        return (Finding::Affected, format!("{name} is at {level}, which the source is about"));
    }
    let named: Vec<_> = line.levels.iter().map(Level::to_string).collect();
    let named = named.join(" and ");
    (Finding::Unclear, format!("{name} is at {level}; the source speaks of {named} only"))
}
