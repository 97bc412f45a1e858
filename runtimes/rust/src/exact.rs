//! Around serde_json's deserializer: what the user's own types get is the number that was sent, or nothing. It also
//! counts the nesting. It knows neither bytes nor frames.
//!
//! serde by itself rounds an integer to an `f64` and a double to an `f32`, and refuses `1.0` for an `i64`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use crate::decode::MAX_DEPTH;

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

pub fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH}")
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{json, Value};

    use crate::decode::typed;

    #[derive(Deserialize, Debug, PartialEq)]
    enum Shape {
        Unit,
        New(f64),
        Pair(i64, f32),
        Named { a: Option<i8>, b: u16 },
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Wrapped(i64);

    #[test]
    fn whole_numbers_are_integers() {
        assert_eq!(typed::<i64>(b"1.0").unwrap(), 1);
        assert_eq!(typed::<Vec<Option<i32>>>(b"[1.0,-2e2,null,-0.0]").unwrap(), [Some(1), Some(-200), None, Some(0)]);
        assert_eq!(typed::<Wrapped>(b"9007199254740992.0").unwrap(), Wrapped(1 << 53));
        assert_eq!(typed::<i128>(b"-9223372036854775808").unwrap(), i128::from(i64::MIN));
        assert_eq!(typed::<(u8, u64)>(b"[255.0,9223372036854774784.0]").unwrap(), (255, (1 << 63) - 1024));
        for refused in ["1.5", "1e19", "9223372036854775808", "\"1\"", "true", "1e400"] {
            assert!(typed::<i64>(refused.as_bytes()).is_err(), "{refused}");
        }
        assert!(typed::<u8>(b"256.0").is_err());
        assert!(typed::<u64>(b"-1.0").is_err());
        assert!(typed::<u64>(b"9223372036854775808").is_err());
        assert!(typed::<u128>(b"18446744073709551616").is_err());
    }

    #[test]
    fn no_number_is_rounded() {
        assert_eq!(typed::<f64>(b"9007199254740992").unwrap(), 9007199254740992.0);
        assert_eq!(typed::<f64>(b"-9223372036854775808").unwrap(), -9223372036854775808.0);
        assert_eq!(typed::<f64>(b"9223372036854775808").unwrap(), 9223372036854775808.0);
        assert_eq!(typed::<Vec<f32>>(b"[0.5,1,16777216,1e10]").unwrap(), [0.5, 1.0, 16_777_216.0, 1e10]);
        for refused in ["9007199254740993", "-9007199254740993", "9223372036854775807"] {
            assert!(typed::<f64>(refused.as_bytes()).is_err(), "{refused}");
            assert!(typed::<Vec<Option<f64>>>(format!("[{refused}]").as_bytes()).is_err(), "{refused}");
        }
        for refused in ["0.1", "16777217", "1e39", "1e-46"] {
            assert!(typed::<f32>(refused.as_bytes()).is_err(), "{refused}");
        }
    }

    #[test]
    fn every_shape() {
        let text = br#"["Unit",{"New":3},{"Pair":[1.0,0.5]},{"Named":{"a":2.0,"b":3.0,"c":[1]}}]"#;
        let shapes = [Shape::Unit, Shape::New(3.0), Shape::Pair(1, 0.5), Shape::Named { a: Some(2), b: 3 }];
        assert_eq!(typed::<Vec<Shape>>(text).unwrap(), shapes);
        assert!(typed::<Shape>(br#"{"New":9007199254740993}"#).is_err());
        assert!(typed::<Shape>(br#"{"Pair":[1,0.1]}"#).is_err());
        let keyed = typed::<BTreeMap<i64, Value>>(br#"{"1":9007199254740993,"-2":[1.0]}"#).unwrap();
        assert_eq!(keyed, BTreeMap::from([(1, json!(9_007_199_254_740_993_i64)), (-2, json!([1.0]))]));
    }

    #[test]
    fn depth_of_what_is_ignored_and_kept() {
        let nested = |depth: usize| format!("{{\"b\":1,\"c\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let named = |depth: usize| typed::<BTreeMap<String, Value>>(nested(depth).as_bytes());
        assert!(named(119).is_ok() && named(120).is_err());
        let ignored = |depth: usize| typed::<Shape>(format!("{{\"Named\":{}}}", nested(depth)).as_bytes());
        assert!(ignored(118).is_ok() && ignored(119).is_err());
    }
}
