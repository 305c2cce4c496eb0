//! The catalogue that the binary carries. A test compares this list with `fixes/`, so that no
//! entry is forgotten.

/// Every file of `fixes/`: its name and its text.
pub(super) const FILES: [(&str, &str); 6] = [
    ("KB843523.toml", include_str!("../../fixes/KB843523.toml")),
    ("KB891509.toml", include_str!("../../fixes/KB891509.toml")),
    ("KB896064.toml", include_str!("../../fixes/KB896064.toml")),
    ("KB900326.toml", include_str!("../../fixes/KB900326.toml")),
    ("MOSQUITTO-5f57de21.toml", include_str!("../../fixes/MOSQUITTO-5f57de21.toml")),
    ("Q265514.toml", include_str!("../../fixes/Q265514.toml")),
];
