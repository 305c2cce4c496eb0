//! The stacks of live bytes as a tree, and the way through it: which node is looked at closely, and which one is selected.
//! Both are paths of names, so that they stay what they are while bytes come and go.

use crate::report::flame::Flame;

/// A frame with all that was allocated under it, called from one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// The heaviest first.
    pub(super) below: Vec<Node>,
}

impl Node {
    /// The tree of all stacks, by their frames or by the modules that these are in.
    pub(super) fn of(flame: &Flame, by_module: bool) -> Node {
        let mut root = Node { name: "all live bytes".to_owned(), ..Node::default() };
        for stack in &flame.stacks {
            let mut at = &mut root;
            at.bytes = at.bytes.saturating_add(stack.bytes);
            for name in if by_module { &stack.modules } else { &stack.frames } {
                let known = at.below.iter().position(|node| node.name == *name);
                let known = known.unwrap_or_else(|| {
                    at.below.push(Node { name: name.clone(), ..Node::default() });
                    at.below.len() - 1
                });
                at = &mut at.below[known];
                at.bytes = at.bytes.saturating_add(stack.bytes);
            }
        }
        root.sort();
        root
    }

    fn sort(&mut self) {
        // Stacks may be very deep.
        let mut left = vec![self];
        while let Some(node) = left.pop() {
            node.below.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.name.cmp(&b.name)));
            left.extend(&mut node.below);
        }
    }

    /// The node at the end of a path, as far as there is one, and how long that is.
    pub(super) fn at(&self, path: &[String]) -> (&Node, usize) {
        let mut at = self;
        for (depth, name) in path.iter().enumerate() {
            match at.below.iter().find(|node| node.name == *name) {
                Some(node) => at = node,
                None => return (at, depth),
            }
        }
        (at, path.len())
    }
}

/// A node's place on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar<'a> {
    pub(super) node: &'a Node,
    pub(super) depth: usize,
    pub(super) column: usize,
    pub(super) width: usize,
    pub(super) selected: bool,
}

/// The way through the tree.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// From the root to what takes the whole width.
    pub(super) zoomed: Vec<String>,
    /// From there to what is selected.
    pub(super) selected: Vec<String>,
    /// The first depth on the screen.
    pub(super) top: usize,
}

impl Way {
    /// Goes to the heaviest child, or back.
    pub(super) fn deeper(&mut self, tree: &Node, deeper: bool, height: usize) {
        self.mend(tree);
        if deeper {
            let (node, _) = tree.at(&self.zoomed).0.at(&self.selected);
            self.selected.extend(node.below.first().map(|node| node.name.clone()));
        } else {
            self.selected.pop();
        }
        self.show(height);
    }

    /// Goes to the next sibling, or the one before.
    pub(super) fn aside(&mut self, tree: &Node, by: isize) {
        self.mend(tree);
        let Some((last, to_parent)) = self.selected.split_last() else { return };
        let parent = tree.at(&self.zoomed).0.at(to_parent).0;
        let at = parent.below.iter().position(|node| node.name == *last).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(parent.below.len().saturating_sub(1));
        if let (Some(node), Some(name)) = (parent.below.get(to), self.selected.last_mut()) {
            name.clone_from(&node.name);
        }
    }

    /// Lets the selected node take the whole width.
    pub(super) fn zoom(&mut self, tree: &Node) {
        self.mend(tree);
        self.zoomed.append(&mut self.selected);
        self.top = 0;
    }

    /// Goes one node back; false where it is the root already.
    pub(super) fn out(&mut self) -> bool {
        let Some(name) = self.zoomed.pop() else { return false };
        self.selected = vec![name];
        self.top = 0;
        true
    }

    /// Selects what is at a column and a line of the screen.
    pub(super) fn click(&mut self, tree: &Node, width: usize, column: usize, line: usize) {
        self.mend(tree);
        let depth = self.top + line;
        let hit = |bar: &Bar<'_>| {
            bar.depth == depth && (bar.column..bar.column + bar.width).contains(&column)
        };
        let Some(found) = self.bars(tree, width).into_iter().find(hit).map(|bar| bar.column) else {
            return;
        };
        // Every ancestor begins at the same column or before, and is the last that does.
        let bars = self.bars(tree, width);
        let path = (1..=depth).filter_map(|at| {
            let of = bars.iter().filter(|bar| bar.depth == at && bar.column <= found);
            of.max_by_key(|bar| bar.column).map(|bar| bar.node.name.clone())
        });
        self.selected = path.collect();
    }

    /// What is to be drawn: depth 0 is what was zoomed to. What is narrower than a column is left out.
    pub(super) fn bars<'a>(&self, tree: &'a Node, width: usize) -> Vec<Bar<'a>> {
        let (root, depth) = tree.at(&self.zoomed);
        let chosen: &[String] = if depth == self.zoomed.len() { &self.selected } else { &[] };
        let mut bars = Vec::new();
        let mut left = vec![(root, 0, 0, width, true)];
        while let Some((node, depth, column, width, on_way)) = left.pop() {
            let selected = on_way && depth == chosen.len();
            bars.push(Bar { node, depth, column, width, selected });
            let mut start = 0_u64;
            for below in &node.below {
                let end = start.saturating_add(below.bytes);
                let place = |bytes: u64| {
                    (bytes as u128 * width as u128 / u128::from(node.bytes.max(1))) as usize
                };
                let (from, to) = (place(start), place(end).min(width));
                start = end;
                if to > from {
                    let on_way = on_way && chosen.get(depth) == Some(&below.name);
                    left.push((below, depth + 1, column + from, to - from, on_way));
                }
            }
        }
        bars
    }

    /// Forgets what is no longer there.
    fn mend(&mut self, tree: &Node) {
        let (zoomed, depth) = tree.at(&self.zoomed);
        if depth < self.zoomed.len() {
            self.zoomed.truncate(depth);
            self.selected.clear();
        }
        let (_, depth) = zoomed.at(&self.selected);
        self.selected.truncate(depth);
    }

    fn show(&mut self, height: usize) {
        let depth = self.selected.len();
        self.top = self.top.clamp((depth + 1).saturating_sub(height.max(1)), depth);
    }
}
