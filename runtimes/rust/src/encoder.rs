//! What serde tells of a value, written as JSON. It is used by encode.rs alone.

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::bytes::{Bytes, KEY};
use crate::decode::{too_deep, MAX_DEPTH};
use crate::error::DataError;

type Done = Result<(), DataError>;

pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    pub has_bytes: bool, // perhaps: the key was seen
}

impl<'a> Encoder<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, depth: 0, has_bytes: false }
    }

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
pub struct Items<'a, 'b> {
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
