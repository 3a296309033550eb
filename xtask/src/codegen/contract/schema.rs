//! The part of JSON Schema that the contract uses.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use yaml_serde::{Number, Value};

use super::super::ordered::Ordered;

/// A schema. A key that is not among the fields is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Schema {
    /// `#/components/schemas/<name>`.
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    /// The types it may have; none for any.
    #[serde(rename = "type")]
    pub(crate) types: Types,
    /// What a string or number holds.
    pub(crate) format: Option<String>,
    /// What it is.
    pub(crate) description: Option<String>,
    /// The members of an object.
    pub(crate) properties: Ordered<Schema>,
    /// The members that must be there.
    pub(crate) required: Vec<String>,
    /// What other members an object may have.
    pub(crate) additional_properties: Option<Additional>,
    /// The items of an array.
    pub(crate) items: Option<Box<Schema>>,
    /// The only values there are.
    #[serde(rename = "enum")]
    pub(crate) values: Vec<Value>,
    /// Exactly one of them fits; used for `null` or something else.
    pub(crate) one_of: Vec<Schema>,
    /// The least number of characters.
    pub(crate) min_length: Option<u64>,
    /// The greatest number of characters.
    pub(crate) max_length: Option<u64>,
    /// The least number of items.
    pub(crate) min_items: Option<u64>,
    /// The greatest number of items.
    pub(crate) max_items: Option<u64>,
    /// The least number of members.
    pub(crate) min_properties: Option<u64>,
    /// The greatest number of members.
    pub(crate) max_properties: Option<u64>,
    /// The least number.
    pub(crate) minimum: Option<Number>,
    /// The greatest number.
    pub(crate) maximum: Option<Number>,
    /// A regular expression.
    pub(crate) pattern: Option<String>,
    /// The name of the Rust type of an object or enumeration, or of the field of a property of
    /// another type, where it does not follow from the name in the contract.
    #[serde(rename = "x-rust-name")]
    pub(crate) rust_name: Option<String>,
    /// What the values of `enum` mean.
    #[serde(rename = "x-enum-descriptions")]
    pub(crate) value_descriptions: Ordered<String>,
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "default")]
    _default: Option<Value>,
    #[serde(rename = "example")]
    _example: Option<Value>,
    #[serde(rename = "examples")]
    _examples: Option<Value>,
    #[serde(rename = "deprecated")]
    _deprecated: bool,
    #[serde(rename = "readOnly")]
    _read_only: bool,
    #[serde(rename = "writeOnly")]
    _write_only: bool,
}

/// The types a schema may have: one, or several in a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Types(pub(crate) Vec<String>);

/// The members of an object besides its `properties`.
#[derive(Clone, Debug)]
pub(crate) enum Additional {
    /// Whether there may be any.
    Any(bool),
    /// What each of them is.
    Of(Box<Schema>),
}

impl Schema {
    /// The name of the schema it refers to.
    pub(crate) fn referred(&self) -> Option<&str> {
        self.reference.as_deref()?.rsplit('/').next()
    }

    /// The one type besides `null`; `None` where there is none.
    pub(crate) fn kind(&self) -> Option<&str> {
        let mut kinds = self.types.0.iter().filter(|kind| *kind != "null");
        kinds.next().map(String::as_str)
    }

    /// Whether `null` is among the types.
    pub(crate) fn nullable(&self) -> bool {
        self.types.0.iter().any(|kind| kind == "null")
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypesVisitor)
    }
}

struct TypesVisitor;

impl<'de> Visitor<'de> for TypesVisitor {
    type Value = Types;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type, or a list of types with 'null' in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Types, E> {
        Ok(Types(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Types, A::Error> {
        let mut types = Vec::new();
        while let Some(item) = seq.next_element()? {
            types.push(item);
        }
        Ok(Types(types))
    }
}

impl<'de> Deserialize<'de> for Additional {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AdditionalVisitor)
    }
}

struct AdditionalVisitor;

impl<'de> Visitor<'de> for AdditionalVisitor {
    type Value = Additional;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schema, `true` or `false`")
    }

    fn visit_bool<E>(self, any: bool) -> Result<Additional, E> {
        Ok(Additional::Any(any))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Additional, A::Error> {
        let schema = Schema::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Additional::Of(Box::new(schema)))
    }
}
