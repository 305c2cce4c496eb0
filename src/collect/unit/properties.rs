//! What `systemctl show` says of a service: `Name=value` lines, some names several times. Lists of
//! words are quoted as in a shell. Nothing here asks anybody anything.

use std::path::PathBuf;

use super::error::UnitError;

/// The name of a service, `.service` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName(String);

impl UnitName {
    /// Takes a name as users write it: `.service` may be left out.
    ///
    /// # Errors
    /// It is no name of a service, or a template without an instance.
    pub fn new(text: &str) -> Result<UnitName, UnitError> {
        let wrong = || UnitError::Name(text.to_owned());
        let named = match text.rsplit_once('.') {
            Some((_, "service")) => text.to_owned(),
            // A dot may be in the name of an instance; another kind of unit is no service.
            Some((_, "socket" | "target" | "timer" | "slice" | "scope" | "mount" | "path")) => {
                return Err(wrong());
            }
            _ => format!("{text}.service"),
        };
        let stem = named.trim_end_matches(".service");
        // As systemd has it; a leading dash would be an option of systemctl.
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let fine = !stem.is_empty()
            && named.len() < 256
            && named.chars().all(allowed)
            && !stem.starts_with(['-', '.', '@'])
            && !stem.ends_with('@');
        fine.then_some(UnitName(named)).ok_or_else(wrong)
    }

    /// As systemd writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A directory's name for it, with nothing in it that a unit file would have to escape.
    pub(super) fn plain(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
        self.0.chars().map(plain).collect()
    }
}

/// The properties of a service.
#[derive(Clone, Debug, Default)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// Reads what `systemctl show` printed.
    pub fn parse(text: &str) -> Properties {
        let mut found: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            match line.split_once('=') {
                Some((name, value))
                    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()) =>
                {
                    found.push((name.to_owned(), value.to_owned()));
                }
                // A value of several lines goes on.
                _ => {
                    if let Some((_, value)) = found.last_mut() {
                        value.push('\n');
                        value.push_str(line);
                    }
                }
            }
        }
        Properties(found)
    }

    /// The first value of this name; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every value of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it says yes.
    pub fn yes(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }

    /// A number; none where it is unlimited, not set or not known.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok().filter(|number| *number != u64::MAX)
    }

    /// A list of words.
    pub fn words(&self, name: &str) -> Vec<String> {
        words(self.text(name))
    }

    /// What the unit itself sets a variable of the environment to.
    pub fn variable(&self, name: &str) -> Option<String> {
        let set = self.words("Environment");
        let value = set.iter().rev().filter_map(|word| word.split_once('='));
        value.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    }

    /// The files that the unit reads its environment from.
    pub fn environment_files(&self) -> Vec<PathBuf> {
        let path = |value: &str| value.rsplit_once(" (").map(|(path, _)| PathBuf::from(path));
        self.all("EnvironmentFiles").filter_map(path).collect()
    }

    /// The programs that the service starts, and whether each runs outside of the sandbox.
    pub fn programs(&self) -> Vec<(PathBuf, bool)> {
        let path = |value: &str| {
            let rest = value.strip_prefix("{ path=")?;
            let path = PathBuf::from(rest.split_once(" ; ")?.0);
            let flags = rest.split(" ; ").find_map(|part| part.strip_prefix("flags="));
            Some((path, flags.is_some_and(|flags| flags.contains("privileged"))))
        };
        let with_flags: Vec<_> = self.all("ExecStartEx").filter_map(path).collect();
        if with_flags.is_empty() {
            return self.all("ExecStart").filter_map(path).collect();
        }
        with_flags
    }
}

/// Splits as a shell does, as far as systemd quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().extend(chars.next().map(|c| match c {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                }));
            }
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_users_write_them() {
        let name = |text| UnitName::new(text).map(|name| name.as_str().to_owned()).ok();
        assert_eq!(name("nginx").as_deref(), Some("nginx.service"));
        assert_eq!(name("php8.2-fpm").as_deref(), Some("php8.2-fpm.service"));
        assert_eq!(name("postfix@-.service").as_deref(), Some("postfix@-.service"));
        for wrong in ["", ".service", "--now", "a/b", "a b", "getty@", "x.socket", "a%b", "a\nb"] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
        let plain = UnitName::new(r"a:b\x2dc@1").map(|name| name.plain()).ok();
        assert_eq!(plain.as_deref(), Some("a_b_x2dc@1.service"));
    }

    #[test]
    fn properties_as_systemd_252_prints_them() {
        let shown = r#"Id=hello.service
ExecStart={ path=/bin/sleep ; argv[]=/bin/sleep 1000 ; ignore_errors=no ; pid=0 }
ExecStartEx={ path=/bin/sleep ; argv[]=/bin/sleep 1000 ; flags=privileged ; pid=0 }
Environment="A=b c" "Q=x\"y" P=10% "B=back\\slash" LD_PRELOAD=/usr/lib/j.so
EnvironmentFiles=/etc/default/hello (ignore_errors=yes)
EnvironmentFiles=/etc/de fault (ignore_errors=no)
MemoryMax=infinity
LimitAS=18446744073709551615
TasksMax=28909
PrivateTmp=yes
StatusText=two
lines
"#;
        let properties = Properties::parse(shown);
        assert_eq!(
            properties.words("Environment"),
            ["A=b c", "Q=x\"y", "P=10%", "B=back\\slash", "LD_PRELOAD=/usr/lib/j.so"]
        );
        assert_eq!(properties.variable("LD_PRELOAD").as_deref(), Some("/usr/lib/j.so"));
        assert_eq!(properties.programs(), [(PathBuf::from("/bin/sleep"), true)]);
        let files = ["/etc/default/hello", "/etc/de fault"].map(PathBuf::from);
        assert_eq!(properties.environment_files(), files);
        assert_eq!((properties.number("MemoryMax"), properties.number("LimitAS")), (None, None));
        assert_eq!(properties.number("TasksMax"), Some(28909));
        assert!(properties.yes("PrivateTmp") && !properties.yes("DynamicUser"));
        assert_eq!(properties.text("StatusText"), "two\nlines");
    }
}
