//! Reading values: every error names the setting, the value, where it was set, and what it must be.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use super::{
    effective::{Effective, InvalidConfig},
    settings::SETTINGS,
};

/// Reads values out of what is set.
pub(super) struct Reader<'a>(pub(super) &'a Effective);

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).0.to_owned()
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        let items = text.split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(ToOwned::to_owned)
            .collect()
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str, must: &str) -> Result<T, InvalidConfig> {
        let parsed = self.text(name).trim().parse();
        parsed.map_err(|_| self.invalid(name, must))
    }

    pub(super) fn count<T: FromStr + PartialOrd + Display + Copy>(
        &self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<T, InvalidConfig> {
        let (min, max) = (range.start(), range.end());
        let must = format!("must be a whole number from {min} to {max}");
        self.within(name, &range, &must)
    }

    /// A number such as `1` or `0.1`.
    pub(super) fn factor(
        &self,
        name: &str,
        range: RangeInclusive<f64>,
    ) -> Result<f64, InvalidConfig> {
        let (min, max) = (range.start(), range.end());
        let must = format!("must be a number from {min} to {max}, such as 1 or 0.1");
        self.within(name, &range, &must)
    }

    fn within<T: FromStr + PartialOrd>(
        &self,
        name: &str,
        range: &RangeInclusive<T>,
        must: &str,
    ) -> Result<T, InvalidConfig> {
        let value = self.parsed(name, must)?;
        if range.contains(&value) {
            return Ok(value);
        }
        Err(self.invalid(name, must))
    }

    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<T, InvalidConfig> {
        let text = self.text(name);
        let chosen = choices.iter().find(|(choice, _)| *choice == text);
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            self.invalid(name, &format!("must be one of {}", names.join(", ")))
        })
    }

    /// A duration such as `500ms`, `30s`, `15m`, `24h` or `30d`, within ten years or so.
    pub(super) fn duration(&self, name: &str) -> Result<Duration, InvalidConfig> {
        let units = [
            ("ms", 1),
            ("s", 1_000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ];
        let must = "must be a duration such as 500ms, 30s, 15m, 24h or 30d, of at most 3650d";
        let measured = self.measured(name, &units, 3_650 * 86_400_000, must);
        measured.map(Duration::from_millis)
    }

    /// The same, where it is set.
    pub(super) fn optional_duration(&self, name: &str) -> Result<Option<Duration>, InvalidConfig> {
        let is_set = self.optional(name).is_some();
        is_set.then(|| self.duration(name)).transpose()
    }

    /// A number of bytes such as `1000`, `16MiB` or `5GiB`, within a tebibyte.
    pub(super) fn bytes(&self, name: &str) -> Result<u64, InvalidConfig> {
        let units = [
            ("", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        let must = "must be a number of bytes such as 1000, 16MiB or 5GiB, at most 1024GiB";
        self.measured(name, &units, 1 << 40, must)
    }

    fn measured(
        &self,
        name: &str,
        units: &[(&str, u64)],
        max: u64,
        must: &str,
    ) -> Result<u64, InvalidConfig> {
        let text = self.text(name);
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = units.iter().find(|(known, _)| *known == unit.trim());
        let value = number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(number, (_, factor))| number.checked_mul(*factor));
        value
            .filter(|value| (1..=max).contains(value))
            .ok_or_else(|| self.invalid(name, must))
    }

    pub(super) fn url(&self, name: &str) -> Result<String, InvalidConfig> {
        let text = self.text(name);
        let plausible = text.is_empty()
            || text
                .strip_prefix("http://")
                .or(text.strip_prefix("https://"))
                .is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
        if plausible {
            return Ok(text.trim_end_matches('/').to_owned());
        }
        Err(self.invalid(name, "must be a URL that begins with http:// or https://"))
    }

    fn invalid(&self, name: &str, must: &str) -> InvalidConfig {
        let (value, source) = self.0.get(name);
        let secret = SETTINGS
            .iter()
            .any(|setting| setting.name == name && setting.secret);
        let value = if secret { "********" } else { value };
        InvalidConfig(format!("{name} = `{value}` (from {source}) {must}"))
    }
}
