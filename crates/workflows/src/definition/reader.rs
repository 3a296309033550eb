//! Takes JSON objects apart and notes everything that is wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{duration, pointer::child};
use crate::{Json, Violation};

/// How many violations are told.
const MAX_VIOLATIONS: usize = 100;

/// What is wrong with a document so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    violations: Vec<Violation>,
}

/// A JSON object and where it lies.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) members: &'a BTreeMap<String, Json>,
    pub(super) pointer: &'a str,
}

impl<'a> Object<'a> {
    /// A member, unless it is absent or null.
    pub(super) fn get(self, name: &str) -> Option<&'a Json> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Where a member lies.
    pub(super) fn place(self, name: &str) -> String {
        child(self.pointer, name)
    }
}

impl Reader {
    /// Notes that something is wrong.
    pub(super) fn refuse(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if !self.is_full() {
            self.violations.push(Violation::new(pointer, detail));
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether so much is wrong that nothing more is noted.
    pub(super) fn is_full(&self) -> bool {
        self.violations.len() >= MAX_VIOLATIONS
    }

    /// Where something is wrong.
    pub(super) fn places(&self) -> BTreeSet<String> {
        let places = self.violations.iter().map(|one| one.pointer.clone());
        places.collect()
    }

    /// What is wrong, sorted by place, and at the end whether there may be more.
    pub(super) fn told(mut self) -> Vec<Violation> {
        let is_full = self.is_full();
        self.violations.sort();
        self.violations.dedup();
        if is_full {
            let more = "there may be more: not everything was looked at";
            self.violations.push(Violation::new("", more));
        }
        self.violations
    }

    /// The members of an object, if it is one.
    pub(super) fn members<'a>(
        &mut self,
        value: &'a Json,
        pointer: &str,
    ) -> Option<&'a BTreeMap<String, Json>> {
        let members = value.as_object();
        if members.is_none() {
            self.refuse(pointer, "must be an object");
        }
        members
    }

    /// An object all of whose members are known.
    pub(super) fn object<'a>(
        &mut self,
        value: &'a Json,
        pointer: &'a str,
        known: &[&str],
    ) -> Option<Object<'a>> {
        let members = self.members(value, pointer)?;
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            if self.is_full() {
                break;
            }
            let known = known.join(", ");
            self.refuse(
                child(pointer, name),
                format!("unknown field; known are {known}"),
            );
        }
        Some(Object { members, pointer })
    }

    /// The items of an array; none if it is absent or no array.
    pub(super) fn array<'a>(&mut self, object: Object<'a>, name: &str) -> &'a [Json] {
        let items = object.get(name).map(|value| {
            value.as_array().unwrap_or_else(|| {
                self.refuse(object.place(name), "must be an array");
                &[]
            })
        });
        items.unwrap_or_default()
    }

    /// A string, if it is there.
    pub(super) fn text<'a>(&mut self, object: Object<'a>, name: &str) -> Option<&'a str> {
        let text = object.get(name)?.as_text();
        if text.is_none() {
            self.refuse(object.place(name), "must be a string");
        }
        text
    }

    /// A string that must be there.
    pub(super) fn required_text<'a>(&mut self, object: Object<'a>, name: &str) -> Option<&'a str> {
        if object.get(name).is_none() {
            self.refuse(object.pointer, format!("`{name}` is missing"));
        }
        self.text(object, name)
    }

    /// A truth value, if it is there.
    pub(super) fn boolean(&mut self, object: Object<'_>, name: &str) -> Option<bool> {
        let value = object.get(name)?.as_bool();
        if value.is_none() {
            self.refuse(object.place(name), "must be true or false");
        }
        value
    }

    /// A whole number from 1 to `max`, if it is there.
    pub(super) fn count(&mut self, object: Object<'_>, name: &str, max: u32) -> Option<u32> {
        let number = object.get(name)?.as_integer();
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (1..=max).contains(number));
        if number.is_none() {
            self.refuse(
                object.place(name),
                format!("must be a whole number from 1 to {max}"),
            );
        }
        number
    }

    /// A duration, if it is there.
    pub(super) fn duration(&mut self, object: Object<'_>, name: &str) -> Option<Duration> {
        let duration = object.get(name)?.as_text().and_then(duration::parse);
        if duration.is_none() {
            self.refuse(
                object.place(name),
                "must be a duration of at most 720h, such as 250ms, 1s, 2m or 1h",
            );
        }
        duration
    }

    /// One of a few words, if it is there.
    pub(super) fn choice<T: Copy>(
        &mut self,
        object: Object<'_>,
        name: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = object.get(name)?;
        let chosen = choices
            .iter()
            .find(|(word, _)| value.as_text() == Some(word));
        if chosen.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.refuse(
                object.place(name),
                format!("must be one of {}", words.join(", ")),
            );
        }
        chosen.map(|(_, choice)| *choice)
    }
}
