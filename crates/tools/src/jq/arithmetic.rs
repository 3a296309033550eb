//! What `+`, `-`, `*`, `/` and `%` do with values (jq 1.7 manual, "Builtin operators and functions").

use std::collections::BTreeMap;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use jaq_core::{Error, ValR, ops};

use super::meter;
use super::value::{Array, Item, Object, Text};

fn impossible(left: Item, operator: ops::Math, right: Item) -> ValR<Item> {
    Err(Error::math(left, operator, right))
}

/// Integers while they fit, floats else.
fn numbers(
    left: &Item,
    right: &Item,
    exact: fn(i64, i64) -> Option<i64>,
    float: fn(f64, f64) -> f64,
) -> Option<Item> {
    if let (Item::Int(left), Item::Int(right)) = (left, right)
        && let Some(result) = exact(*left, *right)
    {
        return Some(Item::Int(result));
    }
    Some(Item::Float(float(left.number()?, right.number()?)))
}

impl Add for Item {
    type Output = ValR<Self>;

    fn add(self, right: Self) -> ValR<Self> {
        if let Some(sum) = numbers(&self, &right, i64::checked_add, |left, right| left + right) {
            return Ok(sum);
        }
        Ok(match (self, right) {
            (Self::Null, other) | (other, Self::Null) => other,
            (Self::Text(left), ref right @ Self::Text(_)) => {
                Text::join(left, right.as_text().unwrap_or_default())
            }
            (Self::Array(left), Self::Array(right)) => Array::join(left, right),
            (Self::Object(left), Self::Object(right)) => {
                let mut sum = left;
                for (key, value) in Object::into_entries(right) {
                    let Self::Object(next) = Object::set(sum, key, Some(value)) else {
                        return Ok(Self::Null);
                    };
                    sum = next;
                }
                Self::Object(sum)
            }
            (left, right) => return impossible(left, ops::Math::Add, right),
        })
    }
}

impl Sub for Item {
    type Output = ValR<Self>;

    fn sub(self, right: Self) -> ValR<Self> {
        if let Some(difference) =
            numbers(&self, &right, i64::checked_sub, |left, right| left - right)
        {
            return Ok(difference);
        }
        match (self, right) {
            (Self::Array(left), Self::Array(right)) => {
                let mut unwanted = right.items().to_vec();
                unwanted.sort();
                let mut items = Array::into_items(left);
                items.retain(|item| unwanted.binary_search(item).is_err());
                Ok(Self::array(items))
            }
            (left, right) => impossible(left, ops::Math::Sub, right),
        }
    }
}

impl Mul for Item {
    type Output = ValR<Self>;

    fn mul(self, right: Self) -> ValR<Self> {
        if let Some(product) = numbers(&self, &right, i64::checked_mul, |left, right| left * right)
        {
            return Ok(product);
        }
        match (self, right) {
            (ref text @ Self::Text(_), ref times) | (ref times, ref text @ Self::Text(_))
                if times.number().is_some() =>
            {
                Ok(repeat(
                    text.as_text().unwrap_or_default(),
                    times.number().unwrap_or_default(),
                ))
            }
            (Self::Object(left), Self::Object(right)) => merge(left, right).map(Self::object),
            (left, right) => impossible(left, ops::Math::Mul, right),
        }
    }
}

/// A string some times after itself; null for none.
fn repeat(text: &str, times: f64) -> Item {
    if times.is_nan() || times <= 0.0 {
        return Item::Null;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and casts of floats saturate"
    )]
    let times = times.ceil() as usize;
    let size = text.len().saturating_mul(times);
    meter::shape(size as u64, 0);
    Item::text(text.repeat(if text.is_empty() { 0 } else { times }))
}

/// Objects in both are merged, other values of the right replace those of the left.
fn merge(left: Rc<Object>, right: Rc<Object>) -> ValR<BTreeMap<Rc<str>, Item>, Item> {
    let mut merged = Object::into_entries(left);
    for (key, value) in Object::into_entries(right) {
        meter::steps(1);
        let value = match (merged.remove(&key), value) {
            (Some(old @ Item::Object(_)), new @ Item::Object(_)) => (old * new)?,
            (_, new) => new,
        };
        merged.insert(key, value);
    }
    Ok(merged)
}

impl Div for Item {
    type Output = ValR<Self>;

    fn div(self, right: Self) -> ValR<Self> {
        let exact = |left: i64, right: i64| {
            (left.checked_rem(right)? == 0).then(|| left.checked_div(right))?
        };
        if let Some(quotient) = numbers(&self, &right, exact, |left, right| left / right) {
            return Ok(quotient);
        }
        match (self.as_text(), right.as_text()) {
            (Some(text), Some(separator)) => Ok(split(text, separator)),
            _ => impossible(self, ops::Math::Div, right),
        }
    }
}

fn split(text: &str, separator: &str) -> Item {
    let parts = if text.is_empty() {
        Vec::new()
    } else if separator.is_empty() {
        text.chars()
            .map(|character| Item::text(character.to_string()))
            .collect()
    } else {
        text.split(separator).map(Item::text).collect()
    };
    Item::array(parts)
}

impl Rem for Item {
    type Output = ValR<Self>;

    fn rem(self, right: Self) -> ValR<Self> {
        let whole = |item: &Self| match item {
            Self::Int(value) => Some(*value),
            #[expect(clippy::cast_possible_truncation, reason = "jq cuts off and saturates")]
            Self::Float(value) if !value.is_nan() => Some(*value as i64),
            _ => None,
        };
        match (whole(&self), whole(&right)) {
            (Some(left), Some(right)) if right != 0 => Ok(Self::Int(left.wrapping_rem(right))),
            _ => impossible(self, ops::Math::Rem, right),
        }
    }
}

impl Neg for Item {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self {
            Self::Int(value) => Ok(value
                .checked_neg()
                .map_or(Self::Float(9.223_372_036_854_776e18), Self::Int)),
            Self::Float(value) => Ok(Self::Float(-value)),
            other => Err(Error::typ(other, "number")),
        }
    }
}
