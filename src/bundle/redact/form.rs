//! What can be told for a name by its form alone: mail addresses, URLs, absolute paths, addresses of the network.

mod path;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use path::path;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `user@host`.
    Mail,
    /// `scheme://user:password@host:port/rest`.
    Url,
    /// An absolute path.
    Path,
    /// A path whose separators are percent-encoded.
    Encoded,
    /// An address of the network or of its hardware.
    Address,
    /// A security identifier of Windows, which names a user of one machine or domain.
    Account,
}

/// Says how long what begins at a place of a text is, if it is of a form.
type Recognise = fn(&str, usize) -> Option<usize>;

/// What begins here, and its length.
pub(super) fn at(text: &str, at: usize) -> Option<(usize, Form)> {
    let recognise: [(Recognise, Form); 6] = [
        (url, Form::Url),
        (encoded, Form::Encoded),
        (mail, Form::Mail),
        (path, Form::Path),
        (address, Form::Address),
        (account, Form::Account),
    ];
    recognise.into_iter().find_map(|(recognise, form)| Some((recognise(text, at)?, form)))
}

/// Whether all of a text is an absolute path.
pub(super) fn is_rooted(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':') && text[2..].starts_with(['\\', '/']);
    text.starts_with(['/', '\\']) || drive
}

/// Whether a host is one that every machine has.
pub(super) fn is_everywhere(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|at| at.is_loopback() || at.is_unspecified())
}

/// The halves of a mail address.
pub(super) fn halves(mail: &str) -> (&str, &str) {
    let at = mail.find('@').map(|at| (at, 1)).or_else(|| mail.find("%40").map(|at| (at, 3)));
    at.map_or((mail, ""), |(at, length)| (&mail[..at], &mail[at + length..]))
}

/// A text without its percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte =
            digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A URL's parts.
pub(super) struct Url<'a> {
    /// With its colon and slashes.
    pub scheme: &'a str,
    /// Name and password.
    pub user: Option<(&'a str, Option<&'a str>)>,
    pub host: &'a str,
    /// With its colon.
    pub port: &'a str,
    /// Path and query.
    pub rest: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn of(url: &'a str) -> Url<'a> {
        let (scheme, all) = url.split_at(url.find("://").map_or(0, |colon| colon + 3));
        let (authority, rest) = all.split_at(all.find(['/', '\\', '?', '#']).unwrap_or(all.len()));
        // A password may hold what should have been encoded.
        let (authority, rest) = match rest.rfind('@') {
            Some(_) if authority.contains(':') && !authority.contains('@') => {
                let end = rest[rest.rfind('@').unwrap_or(0)..].find('/');
                let end = end.map_or(rest.len(), |end| rest.rfind('@').unwrap_or(0) + end);
                all.split_at(authority.len() + end)
            }
            _ => (authority, rest),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => {
                let user = match user.split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (user, None),
                };
                (Some(user), host)
            }
            None => (None, authority),
        };
        let bracket = host.rfind(']').unwrap_or(0);
        let port = host[bracket..].find(':').map_or(host.len(), |colon| bracket + colon);
        let (host, port) = host.split_at(port);
        Url { scheme, user, host, port, rest }
    }
}

fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

fn follows(text: &str, at: usize, of: fn(char) -> bool) -> bool {
    before(text, at).is_some_and(of)
}

fn url(text: &str, at: usize) -> Option<usize> {
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    if follows(text, at, |c| c.is_ascii_alphanumeric() || "+.-".contains(c)) {
        return None;
    }
    let rest = &text[at..];
    let colon = rest.find(|c| !scheme(c)).filter(|length| *length > 1)?;
    let after = rest[colon..].strip_prefix("://")?;
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`".contains(c);
    let length = after.find(ends).unwrap_or(after.len());
    let length = after[..length].trim_end_matches(['.', ',', ';', ':', ')']).len();
    (length > 0).then_some(colon + 3 + length)
}

fn encoded(text: &str, at: usize) -> Option<usize> {
    let within = |c: char| c.is_alphanumeric() || "%._~-".contains(c);
    if follows(text, at, |c| c.is_alphanumeric() || "%._~-".contains(c)) {
        return None;
    }
    let rest = &text[at..];
    let length = rest.find(|c| !within(c)).unwrap_or(rest.len());
    let run = rest[..length].to_ascii_lowercase();
    (run.contains("%2f") || run.contains("%5c")).then_some(length)
}

fn mail(text: &str, at: usize) -> Option<usize> {
    let local = |c: char| c.is_alphanumeric() || "._+-".contains(c);
    let domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    if follows(text, at, |c| c.is_alphanumeric() || "._+-".contains(c)) {
        return None;
    }
    let rest = &text[at..];
    let name = rest.find(|c| !local(c)).filter(|length| *length > 0)?;
    let sign = ["@", "%40"].into_iter().find(|sign| rest[name..].starts_with(sign))?.len();
    let host = &rest[name + sign..];
    let host = &host[..host.find(|c| !domain(c)).unwrap_or(host.len())];
    let host = host.trim_end_matches(['.', '-']);
    let whole = host
        .rsplit_once('.')
        .is_some_and(|(_, top)| top.len() > 1 && top.chars().all(char::is_alphabetic));
    // Within a network hosts have no domain. `malloc@GLIBC_2.2.5` and `read@8` are symbols.
    let after = rest[name + sign + host.len()..].chars().next();
    let near = host.len() > 1
        && host.starts_with(char::is_alphabetic)
        && after != Some('_')
        && !host.contains('.')
        && rest.starts_with(char::is_alphabetic);
    (whole || near).then_some(name + sign + host.len())
}

fn address(text: &str, at: usize) -> Option<usize> {
    if follows(text, at, |c| c.is_alphanumeric() || ".:_-/".contains(c)) {
        return None;
    }
    let rest = &text[at..];
    let run = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:".contains(c)));
    let run = rest[..run.unwrap_or(rest.len())].trim_end_matches(['.', ':']);
    let closed = |length: usize| {
        !rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
    };
    // A port may follow.
    let four = run.split(':').next().unwrap_or_default();
    if let Ok(four_bytes) = four.parse::<Ipv4Addr>() {
        // What ends in 0 is a version: no host is called so.
        let [first, .., last] = four_bytes.octets();
        let host = first != 0 && last != 0 && !four_bytes.is_loopback();
        let closed = run.len() > four.len() || closed(four.len());
        return (host && closed).then_some(four.len());
    }
    let hardware = run.split(':').count() == 6
        && run
            .split(':')
            .all(|byte| byte.len() == 2 && byte.bytes().all(|b| b.is_ascii_hexdigit()));
    // `a::b` is a name of C++.
    let six = run.parse::<Ipv6Addr>().is_ok_and(|at| !at.is_loopback() && !at.is_unspecified())
        && run.contains(|c: char| c.is_ascii_digit())
        && run.split(':').filter(|group| !group.is_empty()).count() > 1;
    (run.len() > 2 && (hardware || six) && closed(run.len())).then_some(run.len())
}

fn account(text: &str, at: usize) -> Option<usize> {
    let rest = text[at..].strip_prefix("S-1-5-21-")?;
    if follows(text, at, char::is_alphanumeric) {
        return None;
    }
    let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
    Some(9 + rest[..length].trim_end_matches('-').len())
}
