//! The values that filters work on: JSON that is shared between copies and counted by `super::meter`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::meter::{self, Held};

/// Bytes that one element of an array takes beside what it holds.
const SLOT: usize = size_of::<Item>();

/// Bytes that one entry of an object takes beside its name and what it holds.
const ENTRY: usize = 64;

/// Bytes that an object with at least one entry takes beside its entries: its tree makes room for more at once.
const FIRST_ENTRY: usize = 512;

/// A value.
#[derive(Debug)]
pub(super) enum Item {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<Text>),
    Array(Rc<Array>),
    Object(Rc<Object>),
}

/// A string.
#[derive(Debug)]
pub(super) struct Text {
    text: String,
    held: Held,
}

/// An array, with the size and depth of everything in it.
#[derive(Debug)]
pub(super) struct Array {
    items: Vec<Item>,
    size: u64,
    depth: u32,
    held: Held,
}

/// An object, with the size and depth of everything in it.
#[derive(Debug)]
pub(super) struct Object {
    entries: BTreeMap<Rc<str>, Item>,
    size: u64,
    depth: u32,
    held: Held,
}

impl Clone for Item {
    fn clone(&self) -> Self {
        meter::steps(1);
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::Int(value) => Self::Int(*value),
            Self::Float(value) => Self::Float(*value),
            Self::Text(text) => Self::Text(Rc::clone(text)),
            Self::Array(array) => Self::Array(Rc::clone(array)),
            Self::Object(object) => Self::Object(Rc::clone(object)),
        }
    }
}

impl Item {
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        meter::shape(text.len() as u64, 0);
        let held = Held::new(text.len());
        Self::Text(Rc::new(Text { text, held }))
    }

    pub(super) fn array(items: Vec<Self>) -> Self {
        Self::Array(Rc::new(Array::new(items)))
    }

    pub(super) fn object(entries: BTreeMap<Rc<str>, Self>) -> Self {
        Self::Object(Rc::new(Object::new(entries)))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The bytes of its JSON, roughly. A part that is shared counts everywhere it stands.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Null | Self::Bool(_) => 5,
            Self::Int(_) | Self::Float(_) => 8,
            Self::Text(text) => text.text.len() as u64 + 2,
            Self::Array(array) => array.size,
            Self::Object(object) => object.size,
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Self::Array(array) => array.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "jq's numbers are floats where they are mixed"
            )]
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The order of the kinds of values in jq.
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Int(_) | Self::Float(_) => 3,
            Self::Text(_) => 4,
            Self::Array(_) => 5,
            Self::Object(_) => 6,
        }
    }
}

impl Text {
    /// Adds to a string, in place when nobody else has it.
    pub(super) fn join(mut left: Rc<Self>, right: &str) -> Item {
        meter::shape((left.text.len() + right.len()) as u64, 0);
        if let Some(own) = Rc::get_mut(&mut left) {
            own.held.grow(right.len());
            own.text.push_str(right);
            return Item::Text(left);
        }
        let mut text = String::with_capacity(left.text.len() + right.len());
        text.push_str(&left.text);
        text.push_str(right);
        Item::text(text)
    }
}

impl Array {
    fn new(items: Vec<Item>) -> Self {
        let held = Held::new(items.len() * SLOT);
        let size = items
            .iter()
            .fold(2, |size: u64, item| size.saturating_add(item.size() + 1));
        let depth = items.iter().map(Item::depth).max().unwrap_or(0) + 1;
        meter::shape(size, depth);
        Self {
            items,
            size,
            depth,
            held,
        }
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The elements, copied only where others have them too.
    pub(super) fn into_items(array: Rc<Self>) -> Vec<Item> {
        match Rc::try_unwrap(array) {
            Ok(own) => own.items,
            Err(shared) => shared.items.clone(),
        }
    }

    /// Adds elements, in place when nobody else has the array.
    pub(super) fn join(mut left: Rc<Self>, right: Rc<Self>) -> Item {
        let size = left.size.saturating_add(right.size);
        let depth = left.depth.max(right.depth);
        meter::shape(size, depth);
        if let Some(own) = Rc::get_mut(&mut left) {
            own.held.grow(right.items.len() * SLOT);
            own.items.extend(Self::into_items(right));
            (own.size, own.depth) = (size, depth);
            return Item::Array(left);
        }
        let mut items = left.items.clone();
        items.extend(Self::into_items(right));
        Item::array(items)
    }

    /// Puts an element in the place of another, in place when nobody else has the array.
    pub(super) fn set(mut array: Rc<Self>, index: usize, value: Option<Item>) -> Item {
        let Some(own) = Rc::get_mut(&mut array) else {
            let copy = Self::new(array.items.clone());
            return Self::set(Rc::new(copy), index, value);
        };
        match value {
            Some(value) => {
                if index >= own.items.len() {
                    let missing = index + 1 - own.items.len();
                    let size = own.size.saturating_add(missing as u64 * 5);
                    meter::shape(size, own.depth);
                    own.held.grow(missing * SLOT);
                    own.items.resize_with(index + 1, || Item::Null);
                    own.size = size;
                }
                own.size = own.size.saturating_add(value.size() + 1);
                own.size = own.size.saturating_sub(own.items[index].size() + 1);
                own.depth = own.depth.max(value.depth() + 1);
                meter::shape(own.size, own.depth);
                own.items[index] = value;
            }
            None if index < own.items.len() => {
                meter::steps(1 + own.items.len() as u64 / 64);
                let gone = own.items.remove(index);
                own.size = own.size.saturating_sub(gone.size() + 1);
            }
            None => {}
        }
        Item::Array(array)
    }

    /// Takes an element out, leaving null, when nobody else has the array; else copies it.
    pub(super) fn take(array: &mut Rc<Self>, index: usize) -> Item {
        match Rc::get_mut(array) {
            Some(own) => match own.items.get_mut(index) {
                Some(place) => {
                    let taken = std::mem::replace(place, Item::Null);
                    own.size = own.size.saturating_sub(taken.size()).saturating_add(5);
                    taken
                }
                None => Item::Null,
            },
            None => array.items.get(index).cloned().unwrap_or(Item::Null),
        }
    }
}

impl Object {
    fn new(entries: BTreeMap<Rc<str>, Item>) -> Self {
        let names: usize = entries.keys().map(|key| key.len() + ENTRY).sum();
        let held = Held::new(if names > 0 { names + FIRST_ENTRY } else { 0 });
        let size = entries.iter().fold(2, |size: u64, (key, item)| {
            size.saturating_add(key.len() as u64 + item.size() + 4)
        });
        let depth = entries.values().map(Item::depth).max().unwrap_or(0) + 1;
        meter::shape(size, depth);
        Self {
            entries,
            size,
            depth,
            held,
        }
    }

    pub(super) fn entries(&self) -> &BTreeMap<Rc<str>, Item> {
        &self.entries
    }

    /// The entries, copied only where others have them too.
    pub(super) fn into_entries(object: Rc<Self>) -> BTreeMap<Rc<str>, Item> {
        match Rc::try_unwrap(object) {
            Ok(own) => own.entries,
            Err(shared) => shared.entries.clone(),
        }
    }

    /// Sets or removes an entry, in place when nobody else has the object.
    pub(super) fn set(mut object: Rc<Self>, key: Rc<str>, value: Option<Item>) -> Item {
        let Some(own) = Rc::get_mut(&mut object) else {
            let copy = Self::new(object.entries.clone());
            return Self::set(Rc::new(copy), key, value);
        };
        let cost = key.len() as u64 + 4;
        let gone = match value {
            Some(value) => {
                own.size = own.size.saturating_add(cost + value.size());
                own.depth = own.depth.max(value.depth() + 1);
                meter::shape(own.size, own.depth);
                own.held.grow(key.len() + ENTRY);
                own.entries.insert(key, value)
            }
            None => own.entries.remove(&key),
        };
        if let Some(gone) = gone {
            own.size = own.size.saturating_sub(cost + gone.size());
        }
        Item::Object(object)
    }

    /// Takes the value of an entry out, leaving null, when nobody else has the object; else copies it.
    pub(super) fn take(object: &mut Rc<Self>, key: &str) -> Item {
        match Rc::get_mut(object) {
            Some(own) => match own.entries.get_mut(key) {
                Some(place) => {
                    let taken = std::mem::replace(place, Item::Null);
                    own.size = own.size.saturating_sub(taken.size()).saturating_add(5);
                    taken
                }
                None => Item::Null,
            },
            None => object.entries.get(key).cloned().unwrap_or(Item::Null),
        }
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left == right,
            _ => self.cmp(other) == Ordering::Equal,
        }
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    /// The order of jq: null, false, true, numbers, strings, arrays, objects. NaN is below all other numbers.
    fn cmp(&self, other: &Self) -> Ordering {
        meter::steps(1);
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => {
                meter::steps(left.text.len().min(right.text.len()) as u64 / 256);
                left.text.cmp(&right.text)
            }
            (Self::Array(left), Self::Array(right)) => left.items.cmp(&right.items),
            (Self::Object(left), Self::Object(right)) => {
                let keys = left.entries.keys().cmp(right.entries.keys());
                meter::steps(left.entries.len() as u64);
                keys.then_with(|| left.entries.values().cmp(right.entries.values()))
            }
            _ => match (self.number(), other.number()) {
                (Some(left), Some(right)) => order(left, right),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }
}

fn order(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right)
        .unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}

impl fmt::Display for Item {
    /// JSON, shortened: errors show values by this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: u64 = 200;
        match self {
            Self::Text(text) if text.text.len() as u64 <= MOST => f.write_str(&text.text),
            Self::Array(_) | Self::Object(_) | Self::Text(_) if self.size() > MOST => {
                f.write_str(self.type_name())
            }
            _ => f.write_str(&super::json::write(self)),
        }
    }
}
