//! What is set, and where.

use std::{collections::BTreeMap, env, fmt, path::Path};

use clap::ArgMatches;

use super::settings::{SETTINGS, Setting};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The configuration file.
    File(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => f.write_str(path),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A configuration that cannot be used, and what to do about it.
#[derive(Debug)]
pub struct InvalidConfig(pub String);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConfig {}

/// Every setting with its value and where that comes from.
pub struct Effective(BTreeMap<&'static str, (String, Source)>);

impl Effective {
    /// Finds out what is set. `environment` looks a variable up.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] if the file cannot be read or sets what cannot be set.
    pub fn find(
        flags: &ArgMatches,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, InvalidConfig> {
        let file = match file {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let find = |setting: &Setting| {
            let flag = flags.get_one::<String>(setting.name).cloned();
            flag.map(|value| (value, Source::Flag))
                .or_else(|| Some((environment(&variable(setting))?, Source::Environment)))
                .or_else(|| file.get(setting.name).cloned())
                .unwrap_or_else(|| (default(setting, &environment), Source::Default))
        };
        Ok(Self(
            SETTINGS
                .iter()
                .map(|setting| (setting.name, find(setting)))
                .collect(),
        ))
    }

    pub(super) fn get(&self, name: &str) -> (&str, &Source) {
        let (value, source) = &self.0[name];
        (value, source)
    }

    /// A table of every setting, its value and its source; secrets masked.
    pub fn table(&self) -> String {
        let row = |setting: &Setting| {
            let (value, source) = self.get(setting.name);
            let shown = match (setting.secret, value) {
                (_, "") => "(not set)".to_owned(),
                (true, _) => "********".to_owned(),
                (false, value) => value.to_owned(),
            };
            format!("{:<28} {:<44} {source}\n", setting.name, shown)
        };
        SETTINGS.iter().map(row).collect()
    }
}

/// The environment of the process. This is the one place that reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn process_environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The environment variable of a setting.
pub fn variable(setting: &Setting) -> String {
    format!("ARCHESAI_{}", setting.name.to_uppercase())
}

fn default(setting: &Setting, environment: impl Fn(&str) -> Option<String>) -> String {
    let home = environment("HOME").unwrap_or_else(|| ".".to_owned());
    let data = environment("XDG_DATA_HOME").unwrap_or_else(|| format!("{home}/.local/share"));
    let cache = environment("XDG_CACHE_HOME").unwrap_or_else(|| format!("{home}/.cache"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    setting
        .default
        .replace("{data}", &data)
        .replace("{cache}", &cache)
        .replace("{cores}", &cores.to_string())
}

fn read_file(path: &Path) -> Result<BTreeMap<String, (String, Source)>, InvalidConfig> {
    let name = path.display().to_string();
    let fail = |cause: &dyn fmt::Display| InvalidConfig(format!("{name}: {cause}"));
    let text = archesai_storage::read_text(path).map_err(|error| fail(&error))?;
    let table: toml::Table = text.parse().map_err(|error| fail(&error))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        if !SETTINGS.iter().any(|setting| setting.name == key) {
            return Err(fail(&format_args!(
                "there is no setting `{key}`; `archesai config show` lists them all"
            )));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Array(items) => items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), ToOwned::to_owned)
                })
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        };
        values.insert(key, (value, Source::File(name.clone())));
    }
    Ok(values)
}
