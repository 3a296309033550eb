//! The values that schemas check, counted: a short schema whose branches refer to each other can ask for more checks than any
//! machine can do.
//!
//! A check can do nothing without looking at the value, so the value itself counts the looks. There is no way to hand an
//! error through them; so the check unwinds, with a payload that the caller knows.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp, unique};
use serde_json::{Map, Number, Value};

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// The payload of a check that was ended.
struct TooMuch;

/// Does `work` and ends it after so many looks; `None` when it was ended.
pub(super) fn within<T>(looks: u64, work: impl FnOnce() -> T) -> Option<T> {
    let before = LEFT.replace(looks);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    LEFT.set(before);
    match outcome {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<TooMuch>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn look(cost: usize) {
    match LEFT.get().checked_sub(1 + cost as u64 / 64) {
        Some(left) => LEFT.set(left),
        None => resume_unwind(Box::new(TooMuch)),
    }
}

/// The representation of values as references that count.
pub(super) struct Counted;

/// A reference that counts.
#[derive(Clone)]
pub(super) struct Counting<'a>(pub(super) &'a Value);

/// The members of an object.
pub(super) struct Members<'a>(&'a Map<String, Value>);

/// The elements of an array.
pub(super) struct Elements<'a>(&'a [Value]);

impl Json for Counted {
    type Node<'a> = Counting<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), text: &str, f: impl FnOnce(Counting<'_>) -> T) -> T {
        look(text.len());
        f(Counting(&Value::from(text)))
    }
}

impl<'a> Node<'a, Counted> for Counting<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        look(0);
        self.0.as_object().map(Members)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        look(0);
        self.0.as_array().map(|items| Elements(items))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.0.as_str();
        look(text.map_or(0, str::len));
        text.map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        look(0);
        self.0.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        look(0);
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        look(0);
        self.0.is_null()
    }

    fn json_type(&self) -> JsonType {
        look(0);
        match self.0 {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        look(expected.as_str().map_or(0, str::len));
        cmp::equal(self.0, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        look(0);
        Cow::Borrowed(self.0)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        look(0);
        Some(NodeIdentity::new(std::ptr::from_ref(self.0).addr()))
    }
}

impl<'a> Object<'a, Counted> for Members<'a> {
    type Node = Counting<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        look(0);
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Counting<'a>> {
        look(0);
        self.0.get(key).map(Counting)
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter(self.0.iter())
    }
}

/// Goes through the members of an object.
pub(super) struct MembersIter<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for MembersIter<'a> {
    type Item = (&'a str, Counting<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        look(0);
        self.0
            .next()
            .map(|(name, value)| (name.as_str(), Counting(value)))
    }
}

impl<'a> Array<'a, Counted> for Elements<'a> {
    type Node = Counting<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        look(0);
        self.0.len()
    }

    fn elements(&self) -> ElementsIter<'a> {
        ElementsIter(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        look(64 * self.0.len());
        unique::is_unique(self.0)
    }
}

/// Goes through the elements of an array.
pub(super) struct ElementsIter<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Counting<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        look(0);
        self.0.next().map(Counting)
    }
}
