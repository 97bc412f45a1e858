//! Around serde_json's deserializer: what the user's own types get is the number that was sent, or nothing. It also
//! counts the nesting. It knows neither bytes nor frames.
//!
//! serde by itself rounds an integer to an `f64` and a double to an `f32`, and refuses `1.0` for an `i64`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use crate::decode::{too_deep, MAX_DEPTH};

/// What kind of number a type has asked for.
#[derive(Clone, Copy)]
enum Wanted {
    Any,
    Integer,
    Double,
    Single,
}

/// A deserializer, and likewise each visitor, seed and access that it leads to.
pub struct Exact<T> {
    inner: T,
    depth: usize, // that is left
    wanted: Wanted,
}

impl<T> Exact<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, depth: MAX_DEPTH, wanted: Wanted::Any }
    }

    fn around<U>(&self, inner: U) -> Exact<U> {
        Exact { inner, depth: self.depth, wanted: Wanted::Any }
    }

    fn deeper<E: Error>(&mut self) -> Result<(), E> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(too_deep()))?;
        Ok(())
    }
}

/// A whole number in the range of `i64`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn whole(value: f64) -> Option<i64> {
    let is_whole = value.fract() == 0.0 && value >= i64::MIN as f64 && value < i64::MAX as f64;
    is_whole.then_some(value as i64)
}

/// Delegates methods of a deserializer that need no more than a wrapped visitor.
macro_rules! forward {
    ($($method:ident($($argument:ident: $kind:ty),*) $wanted:ident $to:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Exact { inner: visitor, depth: self.depth, wanted: Wanted::$wanted };
            self.inner.$to($($argument,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Exact<D> {
    type Error = D::Error;

    forward! {
        deserialize_any() Any deserialize_any;
        deserialize_ignored_any() Any deserialize_any;
        deserialize_bool() Any deserialize_bool;
        deserialize_i8() Integer deserialize_i64;
        deserialize_i16() Integer deserialize_i64;
        deserialize_i32() Integer deserialize_i64;
        deserialize_i64() Integer deserialize_i64;
        deserialize_i128() Integer deserialize_i64;
        deserialize_u8() Integer deserialize_i64;
        deserialize_u16() Integer deserialize_i64;
        deserialize_u32() Integer deserialize_i64;
        deserialize_u64() Integer deserialize_i64;
        deserialize_u128() Integer deserialize_i64;
        deserialize_f32() Single deserialize_f64;
        deserialize_f64() Double deserialize_f64;
        deserialize_char() Any deserialize_char;
        deserialize_str() Any deserialize_str;
        deserialize_string() Any deserialize_string;
        deserialize_bytes() Any deserialize_bytes;
        deserialize_byte_buf() Any deserialize_byte_buf;
        deserialize_option() Any deserialize_option;
        deserialize_unit() Any deserialize_unit;
        deserialize_seq() Any deserialize_seq;
        deserialize_map() Any deserialize_map;
        deserialize_identifier() Any deserialize_identifier;
        deserialize_unit_struct(name: &'static str) Any deserialize_unit_struct;
        deserialize_newtype_struct(name: &'static str) Any deserialize_newtype_struct;
        deserialize_tuple(count: usize) Any deserialize_tuple;
        deserialize_tuple_struct(name: &'static str, count: usize) Any deserialize_tuple_struct;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) Any deserialize_struct;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) Any deserialize_enum;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Delegates methods of a visitor that need nothing.
macro_rules! visit {
    ($($method:ident($kind:ty);)*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Exact<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    visit! {
        visit_bool(bool);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        let (double, kind) = match self.wanted {
            Wanted::Any | Wanted::Integer => return self.inner.visit_i64(value),
            Wanted::Double => (value as f64, "f64"),
            Wanted::Single => (f64::from(value as f32), "f32"),
        };
        if whole(double) == Some(value) {
            self.inner.visit_f64(double)
        } else {
            Err(E::custom(format_args!("an {kind} would alter the integer {value}: use i64")))
        }
    }

    #[allow(clippy::cast_precision_loss)] // that is the contract
    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::float_cmp)]
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        match (self.wanted, whole(value)) {
            (Wanted::Integer, Some(whole)) => self.inner.visit_i64(whole),
            (Wanted::Single, _) if f64::from(value as f32) != value => {
                Err(E::custom(format_args!("an f32 would alter the number {value}: use f64")))
            }
            _ => self.inner.visit_f64(value),
        }
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.around(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.around(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, access: A) -> Result<V::Value, A::Error> {
        self.deeper()?;
        let access = self.around(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, access: A) -> Result<V::Value, A::Error> {
        self.deeper()?;
        let access = self.around(access);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(mut self, access: A) -> Result<V::Value, A::Error> {
        self.deeper()?;
        let access = self.around(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Exact<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.around(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Exact<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Exact<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Exact<A> {
    type Error = A::Error;
    type Variant = Exact<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let seed = self.around(seed);
        let depth = self.depth;
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Exact { inner, depth, wanted: Wanted::Any }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Exact<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
