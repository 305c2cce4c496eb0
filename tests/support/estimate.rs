//! What a sample says, held against the truth.

use serde_json::Value;

/// Off by no more than so many of its own standard errors: five are met by chance once in two
/// million times.
#[track_caller]
pub fn assert_near(report: &Value, what: &str, truth: f64) {
    let said = report["totals"][what].as_f64().unwrap();
    let error = report["totals"]["uncertainty"][what]["standard_error"].as_f64().unwrap();
    assert!(error > 0.0 && error < truth / 5.0, "{what}: {error} of {truth}");
    assert!((said - truth).abs() < 5.0 * error, "{what}: {said} ± {error}, in truth {truth}");
}
