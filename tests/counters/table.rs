//! Tables as `relog` and `typeperf` write them, from processes that come and go.

use std::fmt::Write;

/// One process, in its own numbers.
#[derive(Clone, Debug)]
pub struct Process {
    pub program: &'static str,
    pub pid: u32,
    /// The rows in which it runs.
    pub rows: std::ops::Range<u32>,
    /// Private bytes when it began, and how many more in each row.
    pub private: u64,
    pub growth: u64,
    /// Bytes in .NET's heaps, if it has one: as many more in each row.
    pub managed: Option<u64>,
}

/// How the table is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub tabs: bool,
    pub commas: bool,
    /// With a column for each process's number.
    pub pids: bool,
    /// As `typeperf` does: no time zone, an empty line first, messages behind.
    pub typeperf: bool,
}

pub const RELOG: Form = Form { tabs: false, commas: false, pids: true, typeperf: false };

/// Private bytes of a process in a row: a load goes up and down on top.
pub fn private(process: &Process, row: u32) -> u64 {
    let age = u64::from(row - process.rows.start);
    process.private + process.growth * age + u64::from(row * 7919 % 13) * 40_000
}

/// So many rows, a quarter of a minute apart, from 2006-03-14 22:30:00 on.
pub fn write(processes: &[Process], rows: u32, form: Form) -> String {
    let mut programs: Vec<(&str, usize)> = Vec::new();
    for row in 0..rows {
        for (program, number) in running(processes, row).iter().map(|(name, n, _)| (*name, *n)) {
            if !programs.contains(&(program, number)) {
                programs.push((program, number));
            }
        }
    }
    let counters = ["ID Process", "Private Bytes", "Handle Count"];
    let counters = &counters[usize::from(!form.pids)..];
    let kind = if form.tabs { "TSV" } else { "CSV" };
    let zone = if form.typeperf { "" } else { " (Pacific Standard Time)(480)" };
    let mut header = vec![format!("(PDH-{kind} 4.0){zone}")];
    let instance = |program: &str, number: usize| match number {
        0 => program.to_owned(),
        n => format!("{program}#{n}"),
    };
    header.push(r"\\EX1\Processor(_Total)\% Processor Time".to_owned());
    for (program, number) in &programs {
        for counter in counters {
            header.push(format!(r"\\EX1\Process({})\{counter}", instance(program, *number)));
        }
        if form.pids {
            let of = instance(program, *number);
            header.push(format!(r"\\EX1\.NET CLR Memory({of})\# Bytes in all Heaps"));
            header.push(format!(r"\\EX1\.NET CLR Memory({of})\Process ID"));
        }
    }
    let mut out = String::from(if form.typeperf { "\r\n" } else { "" });
    line(&mut out, &header, form);
    for row in 0..rows {
        let minutes = 22 * 60 + 30 + row / 4;
        let (day, minutes) = (14 + minutes / 1440, minutes % 1440);
        let seconds = row % 4 * 15;
        let time =
            format!("03/{day:02}/2006 {:02}:{:02}:{seconds:02}.125", minutes / 60, minutes % 60);
        let mut fields = vec![time, number(12, form)];
        let running = running(processes, row);
        // .NET counts its own processes anew.
        let managed: Vec<&Process> =
            running.iter().filter(|of| of.2.managed.is_some()).map(|of| of.2).collect();
        for (program, n) in &programs {
            let of = running.iter().find(|of| (of.0, of.1) == (*program, *n)).map(|of| of.2);
            let blank = || " ".to_owned();
            if form.pids {
                fields.push(of.map_or_else(blank, |of| number(of.pid.into(), form)));
            }
            fields.push(of.map_or_else(blank, |of| number(private(of, row), form)));
            fields.push(of.map_or_else(blank, |_| number(500, form)));
            if form.pids {
                let of = managed.iter().filter(|of| of.program == *program).nth(*n);
                let heaps = |of: &&Process| {
                    of.managed.unwrap() + of.growth * u64::from(row - of.rows.start)
                };
                fields.push(of.map_or_else(blank, |of| number(heaps(of), form)));
                fields.push(of.map_or_else(blank, |of| number(of.pid.into(), form)));
            }
        }
        line(&mut out, &fields, form);
    }
    if form.typeperf {
        out.push_str("Exiting, please wait...                         \r\nThe command completed successfully.\r\n\r\n");
    }
    out
}

/// Who runs in a row, with the numbers that equal programs have then.
fn running(processes: &[Process], row: u32) -> Vec<(&'static str, usize, &Process)> {
    let mut running: Vec<(&str, usize, &Process)> = Vec::new();
    for process in processes.iter().filter(|process| process.rows.contains(&row)) {
        let number = running.iter().filter(|of| of.0 == process.program).count();
        running.push((process.program, number, process));
    }
    running
}

fn number(value: u64, form: Form) -> String {
    format!("{value}{}000000", if form.commas { ',' } else { '.' })
}

fn line(out: &mut String, fields: &[String], form: Form) {
    let quoted: Vec<String> = fields.iter().map(|field| format!("\"{field}\"")).collect();
    write!(out, "{}\r\n", quoted.join(if form.tabs { "\t" } else { "," })).unwrap();
}
