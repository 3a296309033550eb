//! How filters reach into values: what the interpreter asks of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use jaq_core::box_iter::BoxIter;
use jaq_core::path::Opt;
use jaq_core::val::Range as Bounds;
use jaq_core::{Error, Exn, ValR, ValT, ValX};

use super::value::{Array, Item, Object};
use super::{json, meter};

impl From<bool> for Item {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Item {
    fn from(value: isize) -> Self {
        i64::try_from(value).map_or(Self::Null, Self::Int)
    }
}

impl From<usize> for Item {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or(Self::Null, Self::Int)
    }
}

impl From<f64> for Item {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for Item {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}

impl From<Bounds<Self>> for Item {
    /// The form of a slice in a path: `{"start": 1, "end": 2}`.
    fn from(bounds: Bounds<Self>) -> Self {
        let entry = |name: &str, bound: Option<Self>| bound.map(|bound| (Rc::from(name), bound));
        let entries = [entry("start", bounds.start), entry("end", bounds.end)];
        Self::object(entries.into_iter().flatten().collect())
    }
}

impl FromIterator<Self> for Item {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let mut collected = Vec::new();
        // Counts while it grows, because the iterator may never end.
        let mut held = meter::Held::new(0);
        for item in items {
            held.grow(size_of::<Self>());
            collected.push(item);
        }
        drop(held);
        Self::array(collected)
    }
}

impl ValT for Item {
    fn from_num(number: &str) -> ValR<Self> {
        if let Ok(integer) = number.parse() {
            return Ok(Self::Int(integer));
        }
        match number.parse() {
            Ok(float) => Ok(Self::Float(float)),
            Err(_) => Err(Error::str(format_args!("{number} is no number"))),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(pairs: I) -> ValR<Self> {
        let mut entries = BTreeMap::new();
        for (key, value) in pairs {
            entries.insert(key_of(&key)?, value);
        }
        Ok(Self::object(entries))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match self {
            Self::Array(array) => {
                let items = (0..array.items().len())
                    .map(move |index| (Self::from(index), array.items()[index].clone()));
                Box::new(items.map(Ok))
            }
            Self::Object(object) => {
                let pair = |(key, value): (Rc<str>, Self)| Ok((Self::text(&*key), value));
                Box::new(Object::into_entries(object).into_iter().map(pair))
            }
            other => Box::new(std::iter::once(Err(not_iterable(other)))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match self {
            Self::Array(array) => Box::new(
                (0..array.items().len()).map(move |index| Ok(array.items()[index].clone())),
            ),
            Self::Object(object) => Box::new(Object::into_entries(object).into_values().map(Ok)),
            other => Box::new(std::iter::once(Err(not_iterable(other)))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        match (&self, index) {
            (Self::Null, Self::Null | Self::Text(_) | Self::Int(_) | Self::Float(_)) => {
                // A path through nothing may be longer than any value is deep.
                meter::steps(40);
                Ok(Self::Null)
            }
            (Self::Object(object), Self::Text(_)) => {
                let key = index.as_text().unwrap_or_default();
                Ok(object.entries().get(key).cloned().unwrap_or(Self::Null))
            }
            (Self::Array(array), Self::Int(_) | Self::Float(_)) => {
                let found =
                    place(index, array.items().len()).and_then(|place| array.items().get(place));
                Ok(found.cloned().unwrap_or(Self::Null))
            }
            (Self::Array(_) | Self::Text(_) | Self::Null, Self::Object(object)) => {
                let bound = |name: &str| object.entries().get(name);
                self.clone().range(bound("start")..bound("end"))
            }
            _ => Err(Error::index(self, index.clone())),
        }
    }

    fn range(self, bounds: Bounds<&Self>) -> ValR<Self> {
        match &self {
            Self::Null => Ok(Self::Null),
            Self::Array(array) => {
                let range = cut(&bounds, array.items().len())?;
                Ok(Self::array(array.items()[range].to_vec()))
            }
            Self::Text(_) => {
                let text = self.as_text().unwrap_or_default();
                meter::steps(text.len() as u64 / 64);
                let range = cut(&bounds, text.chars().count())?;
                Ok(Self::text(
                    text.chars()
                        .skip(range.start)
                        .take(range.len())
                        .collect::<String>(),
                ))
            }
            _ => Err(Error::typ(self, "array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Array(array) => Array::into_items(array).into_iter().flat_map(f).collect(),
            Self::Object(object) => {
                let mut entries = BTreeMap::new();
                for (key, value) in Object::into_entries(object) {
                    if let Some(value) = f(value).next().transpose()? {
                        entries.insert(key, value);
                    }
                }
                Ok(Self::object(entries))
            }
            other => opt.fail(other, |other| Exn::from(not_iterable(other))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (value @ (Self::Array(_) | Self::Text(_)), Self::Object(object)) => {
                let bound = |name: &str| object.entries().get(name);
                value.map_range(bound("start")..bound("end"), opt, f)
            }
            (Self::Null, Self::Text(_)) => Self::object(BTreeMap::new()).map_index(index, opt, f),
            (Self::Null, Self::Int(_) | Self::Float(_)) => {
                Self::array(Vec::new()).map_index(index, opt, f)
            }
            (Self::Object(mut object), Self::Text(_)) => {
                let key = index.as_text().unwrap_or_default();
                let old = Object::take(&mut object, key);
                let new = f(old).next().transpose()?;
                Ok(Object::set(object, Rc::from(key), new))
            }
            (Self::Array(mut array), Self::Int(_) | Self::Float(_)) => {
                let Some(place) = place(index, array.items().len()) else {
                    let error =
                        || Exn::from(Error::str(format_args!("index {index} is out of bounds")));
                    return opt.fail(Self::Array(array), |_| error());
                };
                let old = Array::take(&mut array, place);
                let new = f(old).next().transpose()?;
                Ok(Array::set(array, place, new))
            }
            (other, index) => {
                opt.fail(other, |other| Exn::from(Error::index(other, index.clone())))
            }
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        bounds: Bounds<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let Self::Array(array) = self else {
            return opt.fail(self, |other| Exn::from(Error::typ(other, "array")));
        };
        let range = cut(&bounds, array.items().len())?;
        let part = Self::array(array.items()[range.clone()].to_vec());
        let new = match f(part).next().transpose()? {
            None => Vec::new(),
            Some(Self::Array(new)) => Array::into_items(new),
            Some(other) => return Err(Exn::from(Error::typ(other, "array"))),
        };
        let mut items = Array::into_items(array);
        items.splice(range, new);
        Ok(Self::array(items))
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            text @ Self::Text(_) => text,
            other => Self::text(json::write(&other)),
        }
    }
}

impl jaq_std::ValT for Item {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::Array(array) => Ok(Array::into_items(array).into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Int(value) => isize::try_from(*value).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.number()
    }

    fn is_utf8_str(&self) -> bool {
        self.as_text().is_some()
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        let text = self.as_text()?;
        // Whoever asks goes through them.
        meter::steps(text.len() as u64 / 64);
        Some(text.as_bytes())
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        Self::text(String::from_utf8_lossy(part))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::text(String::from_utf8_lossy(bytes.as_ref()))
    }
}

fn not_iterable(value: Item) -> Error<Item> {
    Error::typ(value, "array or object")
}

fn key_of(key: &Item) -> Result<Rc<str>, Error<Item>> {
    let text = key.as_text();
    text.map(Rc::from)
        .ok_or_else(|| Error::typ(key.clone(), "name in an object"))
}

/// The place that an index means in an array; negative ones count from the end.
fn place(index: &Item, length: usize) -> Option<usize> {
    let index = whole(index)?;
    if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok()
    }
}

fn whole(number: &Item) -> Option<i64> {
    match number {
        Item::Int(value) => Some(*value),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "jq rounds down, and casts of floats saturate"
        )]
        Item::Float(value) if !value.is_nan() => Some(value.floor() as i64),
        _ => None,
    }
}

/// The part of a sequence that bounds mean.
fn cut(bounds: &Bounds<&Item>, length: usize) -> Result<Range<usize>, Error<Item>> {
    let bound = |bound: Option<&Item>, missing: usize| match bound {
        None | Some(Item::Null) => Ok(missing),
        Some(Item::Int(_) | Item::Float(_)) => {
            let bound = bound.and_then(whole).unwrap_or_default();
            let from_end = bound < 0;
            let distance = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
            Ok(if from_end {
                length.saturating_sub(distance)
            } else {
                distance.min(length)
            })
        }
        Some(other) => Err(Error::typ(other.clone(), "number")),
    };
    let (start, end) = (bound(bounds.start, 0)?, bound(bounds.end, length)?);
    Ok(start..end.max(start))
}
