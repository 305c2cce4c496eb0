//! Whether a suspect's blocks are still referenced, in words.

use super::group::Group;
use super::units::count;
use crate::event::RootKind;
use crate::report::model::{Held, Kind, Reached, RootShown};

/// Kinds of memory told of one suspect, most blocks first.
const ROOTS_SHOWN: usize = 2;

/// What there is to say of a group; nothing of a block that was freed twice.
pub fn held(group: &Group<'_>) -> Option<String> {
    let lead = group.lead;
    if lead.kind == Kind::OverRelease {
        return None;
    }
    let of = match (lead.held, &lead.reached) {
        (Held::NotMeasured, _) => {
            return Some("not measured: whether anything still refers to the blocks".to_owned());
        }
        (Held::Lost, None) => {
            return Some("nothing in the process refers to the blocks any more".to_owned());
        }
        (Held::Referenced, None) => {
            return Some(
                "something in the process still refers to the blocks, it may mean to keep them"
                    .to_owned(),
            );
        }
        (_, Some(reached)) => reached,
    };
    Some(if lead.held == Held::Lost {
        format!(
            "nothing in the process refers any more to {} of the {} blocks{}",
            count(of.lost_blocks),
            count(of.blocks),
            stack(group)
        )
    } else {
        let lost = match of.lost_blocks {
            0 => String::new(),
            lost => format!("; nothing refers to {}", count(lost)),
        };
        format!(
            "still referenced from {}{lost}{}; it may mean to keep them",
            roots(of),
            stack(group)
        )
    })
}

/// The numbers are those of one stack.
fn stack(group: &Group<'_>) -> &'static str {
    if group.all.len() > 1 { " of the first stack" } else { "" }
}

fn roots(of: &Reached) -> String {
    let shown: Vec<String> = of
        .roots
        .iter()
        .take(ROOTS_SHOWN)
        .map(|root| format!("{} ({} blocks)", place(root), count(root.blocks)))
        .collect();
    shown.join(" and ")
}

fn place(root: &RootShown) -> String {
    match (root.kind, &root.module) {
        (RootKind::Global, Some(module)) => {
            let at = root.address.as_deref().unwrap_or_default();
            format!("a global of {module} ({module}+{at})")
        }
        (RootKind::Global, None) => "a global".to_owned(),
        (RootKind::ThreadLocal, _) => "thread-local storage".to_owned(),
        (RootKind::Mapping, _) => "memory that the program mapped itself".to_owned(),
        (RootKind::Untold, _) => "memory of which it is not known what it is".to_owned(),
        (RootKind::Stack, _) => "a stack".to_owned(),
        (RootKind::Register, _) => "a register".to_owned(),
    }
}
