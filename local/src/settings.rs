//! What the user sets outside the command line: the process's environment and the `.env` file of the checkout.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use shared::config::Env;

/// The checkout this program was built from.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The settings; a variable of the environment wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    process: Env,
    file: BTreeMap<String, String>,
}

/// Where a setting is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The process's environment.
    Environment,
    /// The file `.env`.
    File,
}

impl Settings {
    /// Reads the environment and the `.env` file of the checkout, if there is one.
    pub fn load() -> std::io::Result<Self> {
        let file = match std::fs::read_to_string(root().join(".env")) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { process: Env::from_process(), file })
    }

    /// Settings of these two sources.
    #[must_use]
    pub fn new(process: Env, file: &str) -> Self {
        Self { process, file: parse(file) }
    }

    /// A setting; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(value, _)| value)
    }

    /// A setting, and where it is from.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&str, Source)> {
        let in_file = || self.file.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let of_process = self.process.optional(name).map(|value| (value, Source::Environment));
        of_process.or_else(|| in_file().map(|value| (value, Source::File)))
    }
}

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let root = Path::new(ROOT);
    // A binary that was moved to another machine has no checkout; then nothing is found there, which says so itself.
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// `NAME=value` lines, with an optional `export`, quotes around the value, and comments.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
    let plain = || value.split(" #").next().unwrap_or_default().trim();
    Some((name.to_owned(), quoted.unwrap_or_else(plain).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_comments_quotes_and_export() {
        let settings = Settings::new(
            Env::default(),
            "# a comment\nA=1\nexport B = \"two # 2\"\nC='3' # three\nD=4 # four\nE=\nURL=postgres://h/d?a=b\n",
        );
        assert_eq!(settings.get("A"), Some("1"));
        assert_eq!(settings.get("B"), Some("two # 2"));
        assert_eq!(settings.get("C"), Some("3"));
        assert_eq!(settings.get("D"), Some("4"));
        assert_eq!(settings.get("E"), None);
        assert_eq!(settings.get("URL"), Some("postgres://h/d?a=b"));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = Settings::new(Env::from([("A", "environment")]), "A=file\nB=file");
        assert_eq!(settings.find("A"), Some(("environment", Source::Environment)));
        assert_eq!(settings.find("B"), Some(("file", Source::File)));
    }
}
