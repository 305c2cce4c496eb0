//! What a report with 1,000 suspects costs: to write, in bytes, and to open in a browser. Needs Chromium, node and npm.
//!
//! `cargo bench --bench report [-- ROUNDS]`. Opening is from the navigation's start to the end of the load event, of a file, in a new page
//! each time; the first, which starts the browser, is not counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../tests/html/browser.rs"]
#[allow(dead_code, reason = "tests look closer")]
mod browser;
#[path = "../tests/sample/mod.rs"]
#[allow(dead_code, reason = "tests of the text use the rest")]
mod sample;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::Command;
use std::time::Instant;

use unfreed::report::flame::{Flame, Weighed};
use unfreed::report::html::{self, Made};
use unfreed::report::model::Report;

const SUSPECTS: usize = 1000;
const OPEN: &str = r#"
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
const [executablePath, report, rounds] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (let round = 0; round <= Number(rounds); round++) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(pathToFileURL(report).href, { waitUntil: "load" });
  const took = await page.evaluate(() => performance.timing.loadEventEnd - performance.timing.navigationStart);
  if (round > 0) console.log(took);
  await page.close();
}
await browser.close();
"#;

/// A thousand suspects, each in a function and with a stack of its own.
fn report() -> (Report, Flame) {
    let mut report = sample::growth();
    let one = report.suspects[0].clone();
    let function =
        |n: usize| format!("std::vector<Session{n}, std::allocator<Session{n}>>::push_back");
    report.suspects.clear();
    let mut stacks = Vec::new();
    for n in 0..SUSPECTS {
        let mut suspect = one.clone();
        suspect.function = function(n);
        let frames = ["mosquitto (7)".to_owned(), "main".to_owned(), function(n)];
        let bytes = suspect.live_bytes;
        stacks.push(Weighed { frames: frames.to_vec(), modules: Vec::new(), bytes });
        report.suspects.push(suspect);
    }
    (report, Flame { stacks, rest_bytes: 0 })
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let rounds: usize = arguments.next().map_or(11, |rounds| rounds.parse().expect("a number"));
    let (report, flame) = report();
    let made = Made { version: "0.1.0".to_owned(), command: String::new(), case: None };
    let began = Instant::now();
    let page = html::render(&report, &flame, &made);
    println!("{SUSPECTS} suspects: {} bytes, written in {:?}", page.len(), began.elapsed());
    let Some(browser) = browser::Browser::find() else { return };
    let place = browser.scripts.join("bench");
    std::fs::create_dir_all(&place).unwrap();
    let (file, script) = (place.join("report.html"), place.join("open.mjs"));
    std::fs::write(&file, page).unwrap();
    std::fs::write(&script, OPEN).unwrap();
    let mut command = Command::new("node");
    command.arg(&script).arg(browser.executable).arg(&file).arg(rounds.to_string());
    let output = command.current_dir(&browser.scripts).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let mut took: Vec<u64> = said.lines().map(|ms| ms.parse().unwrap()).collect();
    took.sort_unstable();
    let (least, most) = (took[0], took[took.len() - 1]);
    println!("opened in {} ms ({least} to {most}, {rounds} times)", took[took.len() / 2]);
}
