//! What is set, and where.

use std::{collections::BTreeMap, env, ffi::OsString, fmt, path::Path};

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
    /// Finds out what is set, in the environment among others.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] if the file cannot be read, or if it or the environment
    /// sets what cannot be set.
    pub fn find(
        flags: &ArgMatches,
        environment: &Environment,
        file: Option<&Path>,
    ) -> Result<Self, InvalidConfig> {
        check_names(environment)?;
        let file = match file {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let find = |setting: &Setting| {
            let flag = flags.get_one::<String>(setting.name).cloned();
            let variable = environment.get(&variable(setting)).cloned();
            flag.map(|value| (value, Source::Flag))
                .or_else(|| variable.map(|value| (value, Source::Environment)))
                .or_else(|| file.get(setting.name).cloned())
                .unwrap_or_else(|| (default(setting, environment), Source::Default))
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

/// The variables of an environment that are not empty.
pub type Environment = BTreeMap<String, String>;

/// The environment of the process. This is the one place that reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn process_environment() -> Environment {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// What the environment variables of settings begin with.
const PREFIX: &str = "ARCHESAI_";

/// The environment variable of a setting.
pub fn variable(setting: &Setting) -> String {
    format!("{PREFIX}{}", setting.name.to_uppercase())
}

/// Refuses variables that look like settings and are none.
fn check_names(environment: &Environment) -> Result<(), InvalidConfig> {
    for name in environment.keys().filter(|name| name.starts_with(PREFIX)) {
        if !SETTINGS.iter().any(|setting| variable(setting) == *name) {
            return Err(InvalidConfig(unknown(name, variable)));
        }
    }
    Ok(())
}

/// Says that there is no setting of a name, and which one may be meant.
fn unknown(name: &str, spelt: impl Fn(&Setting) -> String) -> String {
    let bare = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
    let distance = |setting: &&Setting| strsim::osa_distance(setting.name, &bare);
    let nearest = SETTINGS.iter().min_by_key(distance);
    // A third of the letters may be wrong, and one always.
    match nearest.filter(|setting| distance(setting) <= (bare.len() / 3).max(1)) {
        Some(near) => {
            let near = spelt(near);
            format!("there is no setting `{name}`; did you mean `{near}`?")
        }
        None => {
            format!("there is no setting `{name}`; `archesai config show` lists them all")
        }
    }
}

fn default(setting: &Setting, environment: &Environment) -> String {
    let get = |name: &str| environment.get(name).cloned();
    let home = get("HOME").unwrap_or_else(|| ".".to_owned());
    let data = get("XDG_DATA_HOME").unwrap_or_else(|| format!("{home}/.local/share"));
    let cache = get("XDG_CACHE_HOME").unwrap_or_else(|| format!("{home}/.cache"));
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
            return Err(fail(&unknown(&key, |setting| setting.name.to_owned())));
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
