//! Reports made up for the tests of their renderings.

use unfreed::event::{Exit, Metric, ProcessId, RootKind, Trust};
use unfreed::fixes::entry::RemedyKind;
use unfreed::fixes::{Command, Match, Reason, Remedy, Standing, Status};
use unfreed::report::diff::{Basis, Change, DiffReport, Lack, MatchedBy, Measure, Outcome, Side};
use unfreed::report::model::*;
use unfreed::verdict::Verdict;
use unfreed_symbols::Found;

/// A trace in which nothing was found.
pub fn nothing() -> Report {
    Report {
        schema: SCHEMA,
        source: Source {
            files: Vec::new(),
            notes: Vec::new(),
            kind: "agent".to_owned(),
            version: "0.1.0".to_owned(),
            started_unix_s: 1_700_000_000.5,
            utc_offset_minutes: 60,
            from_start: true,
            snapshots: 0,
        },
        target: vec![Target {
            pid: 4711,
            name: "mosquitto".to_owned(),
            command: vec!["mosquitto".to_owned(), "-c".to_owned(), "broker.conf".to_owned()],
            seen_from: SeenFrom::Start,
            unseen_first_s: None,
            exit: Exit::Status(0),
            allocations: 1_234_567,
            allocations_uncertainty: None,
            sampled_bytes: None,
            scan: None,
            memory: None,
            counters: vec![Counted {
                process: ProcessId(0),
                metric: Metric::Rss,
                first: 9_437_184,
                last: 10_485_760,
                slope_per_s: Some(512.5),
                verdict: Verdict::Steady,
                confidence: 0.7,
            }],
        }],
        duration_s: 200.0,
        losses: Losses::default(),
        not_traced: Vec::new(),
        faults: Vec::new(),
        totals: Totals {
            allocations: 1_234_567,
            frees: 1_234_000,
            live_blocks: 567,
            live_bytes: 98_304,
            frees_unmatched: 0,
            frees_unseen: 0,
            libraries_unseen: 0,
            estimated: false,
            uncertainty: None,
        },
        modules: vec![ListedModule {
            module: module(),
            third_party: Some(true),
            lacks: vec![Lacking { fix: "a-fix".to_owned(), version: "2.0.19".to_owned() }],
        }],
        suspects: Vec::new(),
        crashes: Vec::new(),
        dismissed: Dismissed {
            cache: 3,
            steady: 120,
            one_off: 41,
            undecided: 2,
            below_bound: 1,
            below_bound_over_release: 0,
            over_releases_unjudged: 0,
            unjudged_by: Unjudged::default(),
        },
        undecided: vec![Undecided {
            decided_by: "a longer trace: the site was busy for less than two epochs".to_owned(),
            sites: 2,
            live_bytes: 2_048,
            live_bytes_uncertainty: None,
        }],
        min_confidence: 0.7,
        smallest_detectable_bytes_per_s: Some(118.4),
        unmeasured: None,
        burst: None,
        processes_unmeasured: 0,
        conclusive: true,
        baseline: None,
    }
}

fn module() -> Module {
    Module {
        name: "mosquitto".to_owned(),
        path: "/usr/sbin/mosquitto".to_owned(),
        version: Some("2.0.11-1.2+deb12u2".to_owned()),
        package: Some("mosquitto 2.0.11-1.2+deb12u2".to_owned()),
        build_id: Some("0123456789abcdef".to_owned()),
        pdb: None,
    }
}

fn frame(module: &str, function: Option<&str>, blame: bool) -> StackFrame {
    StackFrame {
        module: Some(module.to_owned()),
        function: function.map(str::to_owned),
        file: blame.then(|| "src/packet_datatypes.c".to_owned()),
        line: blame.then_some(119),
        address: Some("0x2f4b1".to_owned()),
        trust: Trust::Table,
        found: function.map(|_| Found::Recorded),
        inlined: false,
        blame,
    }
}

fn suspect() -> Suspect {
    Suspect {
        kind: Kind::Growth,
        verdict: "growth".to_owned(),
        confidence: 0.974,
        explanation: "Of every 1,000 blocks allocated here, 1,000 are still there. 50,000 blocks \
                      are alive now, and the number still grows."
            .to_owned(),
        evidence: vec![
            Evidence {
                fact: "live".to_owned(),
                value: 50_000.0,
                unit: "blocks".to_owned(),
                standard_error: None,
            },
            Evidence {
                fact: "steadiness".to_owned(),
                value: 0.98,
                unit: "share".to_owned(),
                standard_error: None,
            },
        ],
        process: "mosquitto".to_owned(),
        pid: 4711,
        target: 0,
        function: "packet__read_string".to_owned(),
        module: module(),
        allocations: 50_003,
        live_blocks: 50_000,
        live_bytes: 1_600_000,
        freed_at_end: 0,
        bytes_per_call: Some(BytesPerCall { min: 12, median: 32, max: 40 }),
        blocks_per_event: Some(1.0),
        estimated: false,
        uncertainty: None,
        growth_bytes_per_s: 8_000.0,
        since_s: 2.4,
        held: Held::NotMeasured,
        reached: None,
        stack: vec![
            frame("libc.so.6", Some("malloc"), false),
            StackFrame { inlined: true, ..frame("mosquitto", Some("mosquitto__malloc"), false) },
            frame("mosquitto", Some("packet__read_string"), true),
            frame("mosquitto", Some("handle__publish"), false),
            frame("mosquitto", None, false),
        ],
        stack_complete: false,
        over_release: None,
        fixes: vec![kb(Status::Applies), upstream()],
        history: a_history(),
    }
}

/// A leak of one block a second for a minute, every hundredth call freed at once.
pub fn a_history() -> History {
    let span = |at: u64| LiveSpan {
        from_s: at as f64,
        to_s: at as f64 + 5.0,
        low_blocks: 800 * at,
        high_blocks: 800 * (at + 5),
        born_blocks: Some(4_040),
        alive_blocks: Some(4_000),
    };
    History {
        live: (0..60).step_by(5).map(span).collect(),
        sizes: vec![
            Bar { from: 8, to: 15, count: 10_000 },
            Bar { from: 32, to: 63, count: 40_000 },
        ],
        lifetimes: vec![Bar { from: 1 << 20, to: (1 << 21) - 1, count: 500 }],
    }
}

/// A fix with everything.
pub fn kb(status: Status) -> Match {
    Match {
        id: "KB900001".to_owned(),
        title: "A made-up article: memory grows with every message".to_owned(),
        status,
        confidence: 0.9,
        score: "0.90: 9 of 9 (module 2 of 2, function 7 of 7), times 0.9".to_owned(),
        reasons: vec![
            Reason {
                clause: "module".to_owned(),
                standing: Standing::Yes,
                text: "The module is in the stack.".to_owned(),
            },
            Reason {
                clause: "version".to_owned(),
                standing: Standing::Yes,
                text: "6.0.1 is before 6.0.2.".to_owned(),
            },
        ],
        remedy: Remedy {
            version: Some("6.0.2".to_owned()),
            files: vec!["Made.dll 6.0.2".to_owned()],
            steps: vec!["Get the hotfix.".to_owned(), "Install it.".to_owned()],
            restart: Some("The service.".to_owned()),
            prerequisites: vec!["Service Pack 3.".to_owned()],
            settings: vec![r"HKLM\SOFTWARE\Made\Parameters\Switch = 1".to_owned()],
            commands: vec![Command {
                setting: r"HKLM\SOFTWARE\Made\Parameters\Switch".to_owned(),
                read: r#"reg query "HKLM\SOFTWARE\Made\Parameters" /v "Switch""#.to_owned(),
                set: r#"reg add "HKLM\SOFTWARE\Made\Parameters" /v "Switch" /t REG_DWORD /d 1"#
                    .to_owned(),
            }],
            kind: Some(RemedyKind::Hotfix),
            from: Some("The maker's support.".to_owned()),
            limits: vec!["Programs on other computers.".to_owned()],
            verify: vec!["A new trace must show Made.dll 6.0.2 or later.".to_owned()],
        },
        related: vec!["leaves KB900002: a smaller leak of the same calls".to_owned()],
        source: "https://example.org/articles/900001/memory-grows-with-every-message".to_owned(),
        origin: Some("your own catalogue, not checked by unfreed: KB900001.toml".to_owned()),
    }
}

fn upstream() -> Match {
    Match {
        id: "mosquitto-plugin-topic".to_owned(),
        title: "A message plug-in that replaces the topic leaks the old one".to_owned(),
        status: Status::Possible,
        confidence: 0.8,
        score: String::new(),
        reasons: vec![
            Reason {
                clause: "function".to_owned(),
                standing: Standing::Yes,
                text: "packet__read_string under handle__publish.".to_owned(),
            },
            Reason {
                clause: "version".to_owned(),
                standing: Standing::Unknown,
                text: "2.0.11-1.2+deb12u2 is a distribution's: it may carry the fix. Look into \
                       its changelog."
                    .to_owned(),
            },
        ],
        remedy: Remedy {
            version: Some("2.0.15".to_owned()),
            steps: vec!["Install mosquitto 2.0.15 or later.".to_owned()],
            ..Remedy::default()
        },
        related: Vec::new(),
        source: "mosquitto's ChangeLog, 2.0.15".to_owned(),
        origin: None,
    }
}

/// A suspect with two fixes.
pub fn growth() -> Report {
    Report { suspects: vec![suspect()], ..nothing() }
}

fn off(value: f64, standard_error: f64) -> Uncertainty {
    let reach = 1.96 * standard_error;
    Uncertainty { standard_error, low: value - reach, high: value + reach }
}

fn site_off() -> SiteUncertainty {
    SiteUncertainty {
        allocations: off(50_003.0, 2_100.0),
        live_blocks: off(50_000.0, 2_100.0),
        live_bytes: off(1_600_000.0, 65_000.0),
        freed_at_end: Uncertainty::default(),
        growth_bytes_per_s: off(8_000.0, 330.0),
        blocks_per_event: Some(off(1.0, 0.042)),
    }
}

/// A suspect of a sampled process.
pub fn sampled() -> Report {
    let mut report = growth();
    let target = &mut report.target[0];
    target.sampled_bytes = Some(512 << 10);
    target.allocations_uncertainty = Some(off(1_234_567.0, 50_000.0));
    report.totals.estimated = true;
    report.totals.uncertainty = Some(TotalsUncertainty {
        allocations: off(1_234_567.0, 50_000.0),
        frees: off(1_234_000.0, 50_000.0),
        live_blocks: off(567.0, 61.0),
        live_bytes: off(98_304.0, 12_500.0),
    });
    report.undecided[0].live_bytes_uncertainty = Some(off(2_048.0, 500.0));
    let suspect = &mut report.suspects[0];
    suspect.estimated = true;
    suspect.uncertainty = Some(site_off());
    suspect.evidence[0].standard_error = Some(2_100.0);
    report
}

/// A comparison of which every field shows.
pub fn diff_sampled() -> DiffReport {
    let mut diff = diff();
    diff.before = Side::of(&sampled());
    for change in &mut diff.changes {
        for measure in [&mut change.before, &mut change.after].into_iter().flatten() {
            measure.uncertainty = Some(site_off());
        }
    }
    diff
}

/// The source of a case of three recordings.
pub fn of_a_case(source: Source) -> Source {
    let began = source.started_unix_s;
    let file = |name: &str, kind: &str, after: Option<f64>, placed| SourceFile {
        name: name.to_owned(),
        kind: kind.to_owned(),
        started_unix_s: after.map(|after| began + after),
        placed,
        events: 12_345,
        listed_twice: 0,
    };
    let files = vec![
        file("heap.etl", "etl", Some(0.0), Placed::Clock),
        file("second.etl", "etl", Some(90.0), Placed::Clock),
        file("umdh-1.txt", "umdh", Some(1800.0), Placed::FileTime),
        SourceFile {
            listed_twice: 7,
            ..file("modules\x1b[31m.txt", "debugger", None, Placed::Beginning)
        },
    ];
    let notes = vec![
        Note {
            about: "umdh-1.txt: numbers".to_owned(),
            text: Some("hexadecimal or decimal: nothing tells; read as hexadecimal".to_owned()),
        },
        Note { about: "heap.etl: file versions".to_owned(), text: None },
    ];
    Source { files, notes, ..source }
}

/// Every list filled, so that every field shows.
pub fn full() -> Report {
    let fault = Fault { offset: 1, what: "a fault".to_owned(), count: 1 };
    let not_traced =
        NotTraced { program: "/bin/\u{202e}box (process 7)".into(), why: "static".into() };
    let not_traced = vec![not_traced];
    let mut report = Report { faults: vec![fault], not_traced, ..sampled() };
    report.suspects[0].fixes.truncate(1);
    report.source = of_a_case(report.source);
    report.target[0].memory = Some(MemoryShown {
        metric: Metric::PrivateBytes,
        from_s: 0.5,
        to_s: 60.5,
        first_bytes: 10 << 20,
        last_bytes: 30 << 20,
        growth_bytes: 20 << 20,
        live_blocks_bytes: Some(15 << 20),
        mapped_bytes: Some(1 << 20),
        heap_committed_bytes: Some(16 << 20),
        managed_heap_bytes: None,
        unexplained_bytes: Some(3 << 20),
        runtimes: vec![".NET (clr.dll)".to_owned()],
    });
    report.target[0].scan = Some(ScanShown {
        failed: None,
        stopped_s: Some(0.07),
        read_bytes: Some(1 << 28),
        whole: Some(false),
        unread_bytes: Some(2_093_056),
        unread: Some("2 MiB of memory that it shares with others it has not touched".to_owned()),
        blocks: Some(567),
        bytes: Some(98_304),
        lost_blocks: Some(0),
        lost_bytes: Some(0),
    });
    report.burst = Some(Burst { from_s: 0.0, to_s: 4.5, share: 0.81 });
    report.crashes = crashed().crashes;
    report.suspects[0].held = Held::Referenced;
    report.suspects[0].reached = Some(Reached {
        blocks: 50_000,
        bytes: 600_000,
        lost_blocks: 0,
        lost_bytes: 0,
        interior_blocks: 3,
        roots: vec![RootShown {
            kind: RootKind::Global,
            module: Some("libmosquitto.so.1".to_owned()),
            address: Some("0x4040".to_owned()),
            blocks: 50_000,
            bytes: 600_000,
        }],
    });
    report
}

/// What a crash dump tells.
pub fn crashed() -> Report {
    let module = Module {
        name: "Exsmtp.dll".to_owned(),
        path: r"C:\Program Files\Exchsrvr\bin\Exsmtp.dll".to_owned(),
        version: Some("6.5.7233.20".to_owned()),
        ..Module::default()
    };
    let stack = [("Exsmtp.dll", Trust::Context), ("ntdll.dll", Trust::FramePointer)];
    let stack = stack.map(|(module, trust)| StackFrame { trust, ..frame(module, None, false) });
    let reason = |clause: &str, standing, text: &str| Reason {
        clause: clause.to_owned(),
        standing,
        text: text.to_owned(),
    };
    let crash = Crash {
        process: "Inetinfo.exe".to_owned(),
        pid: 1480,
        target: 0,
        thread: 119,
        code: "0xc0000005".to_owned(),
        name: Some("access violation".to_owned()),
        address: "0x61004321".to_owned(),
        module: Some(module),
        stack: stack.to_vec(),
        stack_complete: false,
        fixes: vec![Match {
            id: "KB900326".to_owned(),
            title: "Inetinfo.exe takes an access violation".to_owned(),
            status: Status::Possible,
            confidence: 0.5,
            score: "0.5 for where the module is, times 1 for what is known of its version"
                .to_owned(),
            reasons: vec![
                reason("module", Standing::Yes, "the exception was raised in Exsmtp.dll"),
                reason("evidence", Standing::Unknown, "one crash proves no cause"),
            ],
            remedy: Remedy {
                files: vec!["Exsmtp.dll 6.5.7233.31".to_owned()],
                ..Remedy::default()
            },
            related: Vec::new(),
            source: "Microsoft Knowledge Base article 900326".to_owned(),
            origin: None,
        }],
    };
    let source = Source { kind: "minidump".to_owned(), from_start: false, ..nothing().source };
    Report {
        source,
        crashes: vec![crash],
        smallest_detectable_bytes_per_s: None,
        unmeasured: Some(Unmeasured::NothingAllocated),
        conclusive: false,
        baseline: None,
        ..nothing()
    }
}

/// A block freed twice; of the first free, the caller is known.
pub fn over_release() -> Report {
    let second_free = vec![
        frame("libc.so.6", Some("free"), false),
        frame("mosquitto", Some("context__cleanup"), true),
    ];
    let first_free = vec![frame("mosquitto", Some("packet__cleanup"), true)];
    let suspect = Suspect {
        kind: Kind::OverRelease,
        verdict: "over-release".to_owned(),
        explanation: "A block was freed again 1 ms after it had been freed. Nothing was \
                      allocated there in between."
            .to_owned(),
        growth_bytes_per_s: 0.0,
        blocks_per_event: None,
        over_release: Some(OverRelease {
            count: 3,
            first_free,
            first_free_complete: false,
            second_free,
        }),
        fixes: Vec::new(),
        ..suspect()
    };
    Report { suspects: vec![suspect], ..nothing() }
}

/// Names from somebody who means harm, and names that are only long.
pub fn hostile() -> Report {
    let long =
        "std::vector<std::map<std::string, std::shared_ptr<Session>>>::insert(const_iterator)";
    let mut report = growth();
    report.target[0].name = "mos\x1b]0;owned\x07quitto".to_owned();
    let suspect = &mut report.suspects[0];
    suspect.function = format!("\u{202e}{long}\r\n");
    suspect.module.name = "lib\x1b[2Jevil\u{9b}31m.so".to_owned();
    suspect.module.path = "/opt/\u{200b}\u{2066}a/very/long/path/名前の長い/libevil.so".to_owned();
    suspect.module.version = Some("1.0\n2.0".to_owned());
    suspect.stack[2].function = Some(suspect.function.clone());
    suspect.stack[2].module = Some(suspect.module.name.clone());
    suspect.fixes[0].source = format!("https://example.org/{}", "a".repeat(150));
    report.suspects[0].fixes[0].title = "\x1b[31mred\x1b[0m\ttitle".to_owned();
    report
}

/// One change of every outcome.
pub fn diff() -> DiffReport {
    let grows = Measure {
        suspect: true,
        confidence: 0.97,
        verdict: Some(Verdict::Growth),
        allocations: 50_003,
        freed_again: 0,
        live_blocks: 50_000,
        live_bytes: 1_600_000,
        growth_bytes_per_s: 8_000.0,
        growth_blocks_per_s: 250.0,
        blocks_per_event: None,
        uncertainty: None,
    };
    let quiet = Measure { live_blocks: 3, live_bytes: 96, ..Measure::default() };
    let slower = Measure { growth_bytes_per_s: 4_000.0, ..grows };
    let change = |outcome, before: Option<Measure>, after: Option<Measure>| Change {
        outcome,
        undecided_by: (outcome == Outcome::Undecided).then_some(Lack::Pace),
        kind: Kind::Growth,
        process: "mosquitto".to_owned(),
        function: "packet__read_string".to_owned(),
        module: "mosquitto".to_owned(),
        version_before: before.map(|_| "2.0.11".to_owned()),
        version_after: after.map(|_| "2.0.18".to_owned()),
        before,
        after,
        matched_by: MatchedBy::Stack,
        basis: Basis::Verdict,
        stack: suspect().stack,
    };
    DiffReport {
        schema: SCHEMA,
        before: Side::of(&growth()),
        after: Side::of(&nothing()),
        reversed: false,
        changes: vec![
            change(Outcome::New, Some(quiet), Some(grows)),
            change(Outcome::Worse, Some(slower), Some(grows)),
            Change {
                matched_by: MatchedBy::BlameFrame,
                basis: Basis::Growth,
                ..change(Outcome::Unchanged, Some(grows), Some(grows))
            },
            change(Outcome::Improved, Some(grows), Some(slower)),
            change(Outcome::NotSeen, Some(grows), None),
            change(Outcome::Undecided, Some(grows), Some(quiet)),
            change(Outcome::Fixed, Some(grows), Some(quiet)),
        ],
    }
}
