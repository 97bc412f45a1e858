//! Any serde value to JSON by the data contract: what cannot be represented exactly is refused. It does not know frames.

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::bytes::{Bytes, KEY};
use crate::decode::{decode, MAX_DEPTH};
use crate::error::DataError;
use crate::exact::too_deep;

type Done = Result<(), DataError>;

/// Append the JSON of a value; nothing is appended if it is refused.
pub fn encode<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Done {
    let start = out.len();
    let mut encoder = Encoder { out, depth: 0, has_bytes: false };
    let done = value.serialize(&mut encoder);
    let has_bytes = encoder.has_bytes;
    let done = done.and_then(|()| if has_bytes { decode(&out[start..]).map(drop) } else { Ok(()) });
    if done.is_err() {
        out.truncate(start);
    }
    done
}

/// The JSON of a value.
pub fn encoded<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, DataError> {
    let mut out = Vec::new();
    encode(&mut out, value)?;
    Ok(out)
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    has_bytes: bool, // perhaps: the key was seen
}

impl<'a> Encoder<'a> {
    fn open(&mut self, bracket: u8, close: u8) -> Result<Items<'_, 'a>, DataError> {
        if self.depth == MAX_DEPTH {
            return Err(DataError(too_deep()));
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(Items { encoder: self, is_first: true, close: if close == b']' { b"]" } else { b"}" } })
    }

    /// `{"variant":[` or `{"variant":{`.
    fn open_variant(&mut self, variant: &str, bracket: u8, close: u8) -> Result<Items<'_, 'a>, DataError> {
        self.begin_variant(variant)?;
        let mut items = self.open(bracket, close)?;
        items.close = if close == b']' { b"]}" } else { b"}}" };
        Ok(items)
    }

    fn begin_variant(&mut self, variant: &str) -> Done {
        let mut items = self.open(b'{', b'}')?;
        items.key(variant)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let start = self.out.len();
        key.serialize(&mut *self)?;
        match self.out[start] {
            b'"' => self.has_bytes |= &self.out[start + 1..self.out.len() - 1] == KEY.as_bytes(),
            b'0'..=b'9' | b'-' => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
            _ => return Err(DataError("an object key that is no text".to_owned())),
        }
        self.out.push(b':');
        Ok(())
    }
}

impl<'a, 'b> Serializer for &'a mut Encoder<'b> {
    type Ok = ();
    type Error = DataError;
    type SerializeSeq = Items<'a, 'b>;
    type SerializeTuple = Items<'a, 'b>;
    type SerializeTupleStruct = Items<'a, 'b>;
    type SerializeTupleVariant = Items<'a, 'b>;
    type SerializeMap = Items<'a, 'b>;
    type SerializeStruct = Items<'a, 'b>;
    type SerializeStructVariant = Items<'a, 'b>;

    fn serialize_bool(self, value: bool) -> Done {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        CompactFormatter.write_i64(self.out, value).map_err(DataError::custom)
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        match i64::try_from(value) {
            Ok(value) => self.serialize_i64(value),
            Err(_) => Err(DataError(format!("integer beyond 64 bits with sign: {value}"))),
        }
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        if !value.is_finite() {
            return Err(DataError(format!("{value} cannot be sent")));
        }
        CompactFormatter.write_f64(self.out, value).map_err(DataError::custom)
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        let has_escapes = value
            .bytes()
            .fold(false, |has_escapes, byte| has_escapes | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
        if has_escapes {
            return serde_json::to_writer(&mut *self.out, value).map_err(DataError::custom);
        }
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        Bytes(value.to_vec()).serialize(self)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.begin_variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a, 'b>, DataError> {
        self.open(b'[', b']')
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a, 'b>, DataError> {
        self.open(b'[', b']')
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a, 'b>, DataError> {
        self.open(b'[', b']')
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a, 'b>, DataError> {
        self.open_variant(variant, b'[', b']')
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a, 'b>, DataError> {
        self.open(b'{', b'}')
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'a, 'b>, DataError> {
        if name == "SystemTime" || name.starts_with("$serde_json::private") {
            return Err(DataError(format!("a {name} cannot be sent: send the text or the number that you want of it")));
        }
        self.open(b'{', b'}')
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a, 'b>, DataError> {
        self.open_variant(variant, b'{', b'}')
    }
}

/// An open array or object.
struct Items<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    is_first: bool,
    close: &'static [u8], // two brackets: the inner one was opened by a variant
}

impl Items<'_, '_> {
    fn next(&mut self) {
        if !self.is_first {
            self.encoder.out.push(b',');
        }
        self.is_first = false;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.next();
        value.serialize(&mut *self.encoder)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.next();
        self.encoder.key(key)
    }

    fn close(self) -> Done {
        self.encoder.depth -= self.close.len();
        self.encoder.out.extend_from_slice(self.close);
        Ok(())
    }
}

macro_rules! items_of {
    ($($kind:ident $add:ident;)*) => {
        $(impl $kind for Items<'_, '_> {
            type Ok = ();
            type Error = DataError;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        })*
    };
}

items_of! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! fields_of {
    ($($kind:ident)*) => {
        $(impl $kind for Items<'_, '_> {
            type Ok = ();
            type Error = DataError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.key(key)?;
                value.serialize(&mut *self.encoder)
            }

            fn end(self) -> Done {
                self.close()
            }
        })*
    };
}

fields_of! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = DataError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Done {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};
    use std::collections::BTreeMap;

    fn text<T: Serialize + ?Sized>(value: &T) -> String {
        String::from_utf8(encoded(value).unwrap()).unwrap()
    }

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, f32),
        Named { a: Option<()>, b: char },
    }

    #[test]
    fn same_as_serde_json() {
        let shapes = [Shape::Unit, Shape::New(1), Shape::Pair(1, 2.5), Shape::Named { a: None, b: 'ü' }];
        assert_eq!(text(&shapes), serde_json::to_string(&shapes).unwrap());
        let keyed = BTreeMap::from([(-1, "a\"\n\u{1}"), (20, "")]);
        assert_eq!(text(&keyed), serde_json::to_string(&keyed).unwrap());
        let value = json!({"a": [1, -2.5e-8, null, true, {}], "b": {"c": []}});
        assert_eq!(text(&value), value.to_string());
    }

    #[test]
    fn refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(encoded(&vec![Some(value)]).is_err());
        }
        assert!(encoded(&u64::MAX).is_err());
        assert!(encoded(&[std::time::SystemTime::now()]).is_err());
        assert!(encoded(&json!(u64::MAX)).is_err());
        assert!(encoded(&json!({"$bytes": "no base64"})).is_err());
        assert!(encoded(&BTreeMap::from([(vec![1], 1)])).is_err());
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| Value::Array(vec![inner]));
        assert!(encoded(&nested(120)).is_ok());
        assert!(encoded(&nested(121)).is_err());
    }

    #[test]
    fn variants_count_their_depth() {
        let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
        let many: Vec<_> = (0..100).map(|_| Shape::Pair(1, 1.0)).collect();
        assert!(encoded(&(many, deep)).is_ok());
    }
}
