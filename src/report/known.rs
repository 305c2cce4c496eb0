//! Numbers that may not be known, as the JSON has them: `null`, and NaN here, so that a sum with one of
//! them is not known either. Used as `#[serde(with = "known")]`.

use serde::{Deserialize, Deserializer, Serializer};

/// `null` for NaN.
pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() { to.serialize_none() } else { to.serialize_f64(*value) }
}

/// NaN for `null`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}
