//! What a pair costs the program.

use std::path::Path;

use crate::pairs::{Pairs, middle};
use crate::tracer::Tracer;

const SCRIPT: &str = "\
uprobe:/lib/x86_64-linux-gnu/libc.so.6:malloc { @size[tid] = arg0; @stack[tid] = ustack(16); }
uretprobe:/lib/x86_64-linux-gnu/libc.so.6:malloc /@size[tid]/ {
    @live[retval] = @stack[tid]; @bytes[@stack[tid]] = sum(@size[tid]); delete(@size[tid]); delete(@stack[tid]);
}
uprobe:/lib/x86_64-linux-gnu/libc.so.6:free { delete(@live[arg0]); }
";

pub fn measure(program: &Path, directory: &Path, rounds: usize) {
    let script = directory.join("pairs.bt");
    std::fs::write(&script, SCRIPT).unwrap();
    println!("| depth | bare, ns | unfreed adds, ns | bpftrace adds, ns | bpftrace / unfreed |");
    println!("|---|---|---|---|---|");
    for depth in [4, 16, 64] {
        let (mut bares, mut ours, mut theirs) = (vec![], vec![], vec![]);
        for _ in 0..rounds {
            let mut pairs = Pairs::start(program, &[&depth.to_string()]);
            let bare = pairs.median();
            bares.push(bare);
            let report = directory.join("report.json");
            let verb = ["attach", "--json", "--output"];
            let unfreed = Tracer::unfreed(&verb, &report, &[&pairs.pid()]);
            ours.push(pairs.median() - bare);
            drop(unfreed);
            let text = std::fs::read_to_string(&report).unwrap();
            assert!(text.contains("\"events\": 0"), "something was lost: {text}");
            if let Some(bpftrace) = Tracer::bpftrace(&script, &mut pairs, bare) {
                theirs.push(pairs.median() - bare);
                drop(bpftrace);
            }
        }
        let ours = middle(&mut ours);
        let (theirs, ratio) = if theirs.is_empty() {
            ("-".to_owned(), "-".to_owned())
        } else {
            let theirs = middle(&mut theirs);
            (format!("{theirs:.0}"), format!("{:.1}", theirs / ours))
        };
        println!("| {depth} | {:.0} | {ours:.0} | {theirs} | {ratio} |", middle(&mut bares));
    }
}
