//! Proves that stacks of Rust are walked: closures, trait objects, collections and recursion that allocate.

use std::collections::{BTreeMap, HashMap};

trait Shape {
    fn name(&self, depth: u32) -> String;
}

struct Leaf(u32);
struct Branch(Box<dyn Shape>);

impl Shape for Leaf {
    fn name(&self, depth: u32) -> String {
        format!("leaf {} at {depth}", self.0)
    }
}

impl Shape for Branch {
    fn name(&self, depth: u32) -> String {
        format!("{} in a branch", self.0.name(depth + 1))
    }
}

fn grown(depth: u32) -> Box<dyn Shape> {
    if depth == 0 { Box::new(Leaf(depth)) } else { Box::new(Branch(grown(depth - 1))) }
}

fn main() {
    let mut names = BTreeMap::new();
    let mut lengths: HashMap<usize, Vec<String>> = HashMap::new();
    for round in 0..600u32 {
        let name = grown(round % 12).name(0);
        let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
        words.sort();
        lengths.entry(name.len()).or_default().push(words.join(" "));
        names.insert(round % 50, name);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    println!("{} {}", names.len(), lengths.len());
}
