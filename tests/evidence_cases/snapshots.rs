//! Each article as two logs an hour apart, with and without the debugger's list that has the versions.

use super::articles::{ARTICLES, Article};
use super::evidence::{debugger, leakdiag, umdh};
use super::stand_ins::{StoodIn, stand_in};
use super::{Evidence, Expected, THEN, analyze, check};

/// Holds two logs of a case, written an hour apart, against an article: with versions and without.
fn held(
    article: &Article,
    stood_in: &StoodIn,
    version: &str,
    status: &str,
    logs: [String; 2],
    function: Option<&str>,
    named_by: Named,
) {
    let [first, second] = &logs;
    let pair = || {
        vec![
            Evidence { name: "one.txt", bytes: first.as_bytes(), written: THEN },
            Evidence { name: "two.txt", bytes: second.as_bytes(), written: THEN + 3600 },
        ]
    };
    let symbols = Some(stood_in.store.path());
    let list = debugger::modules(&stood_in.case);
    let lmv = Evidence { name: "lmv.txt", bytes: list.as_bytes(), written: THEN + 7200 };
    let report = analyze(&pair().into_iter().chain([lmv]).collect::<Vec<_>>(), symbols);
    let expected = Expected {
        id: article.id,
        status,
        module: article.module,
        version: Some(version),
        function,
    };
    check(&report, expected);
    let suspect = &report["suspects"][0];
    let leaking = &stood_in.case.stacks[0];
    assert_eq!(suspect["live_blocks"], leaking.blocks[1]);
    assert_eq!(suspect["stack"].as_array().unwrap().len(), leaking.frames.len());
    let rate = f64::from(leaking.size * (leaking.blocks[1] - leaking.blocks[0])) / 3600.0;
    let growth = suspect["growth_bytes_per_s"].as_f64().unwrap();
    assert!((growth - rate).abs() < 1e-6, "{growth} for {rate}");
    assert_eq!(report["source"]["snapshots"], 2);
    assert_eq!(report["target"].as_array().unwrap().len(), 1, "one process");
    assert_eq!(report["faults"], serde_json::json!([]));

    // Without the list nothing tells a version, nor, by the file's time stamp, which PDB is the module's.
    let report = analyze(&pair(), symbols);
    if named_by == Named::Log || article.id != "Q265514" {
        let function = function.filter(|_| named_by == Named::Log);
        check(&report, Expected { status: "possible", version: None, function, ..expected });
    }
}

/// Who names the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Log,
    Pdbs,
}

#[test]
fn each_article_is_found_by_two_snapshots_of_umdh_and_the_list_of_modules() {
    tools!();
    for article in &ARTICLES {
        for (version, status) in article.versions {
            let stood_in = stand_in((article.case)(version));
            let logs = [0, 1].map(|which| umdh::snapshot(&stood_in.case, which));
            let function = Some(article.function);
            held(article, &stood_in, version, status, logs, function, Named::Pdbs);
        }
    }
}

#[test]
fn each_article_is_found_by_two_logs_of_leakdiag_and_the_list_of_modules() {
    tools!();
    for article in &ARTICLES {
        for (version, status) in article.versions {
            let stood_in = stand_in((article.case)(version));
            for symbols in [true, false] {
                let form = leakdiag::Form { symbols, split: true };
                let logs = [0, 1].map(|which| leakdiag::log(&stood_in.case, which, form));
                let by = if symbols { Named::Log } else { Named::Pdbs };
                held(article, &stood_in, version, status, logs, Some(article.function), by);
            }
        }
    }
}
