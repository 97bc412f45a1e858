//! JSON text to the types that a module takes.

use std::any::{Any, TypeId};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::decode::decode;
use crate::error::DataError;
use crate::exact::Exact;

/// A message on its way to a handler: its JSON, and perhaps the native value.
pub struct Input<'a> {
    pub json: &'a [u8],
    pub value: Option<Value>,
}

impl Input<'_> {
    /// The message as what the handler takes.
    pub fn into<M: DeserializeOwned + 'static>(self) -> Result<M, DataError> {
        if TypeId::of::<M>() != TypeId::of::<Value>() {
            return typed(self.json);
        }
        let mut value = Some(match self.value {
            Some(value) => value,
            None => decode(self.json)?,
        });
        let same: Option<&mut Option<M>> = (&mut value as &mut dyn Any).downcast_mut();
        Ok(same.and_then(Option::take).expect("M is Value"))
    }
}

/// Any type from JSON.
pub fn typed<M: DeserializeOwned>(json: &[u8]) -> Result<M, DataError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = M::deserialize(Exact::new(&mut deserializer))?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{json, Value};

    use super::typed;

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
        let array = |depth: usize| typed::<Vec<Value>>(&[vec![b'['; depth], vec![b']'; depth]].concat());
        assert!(array(120).is_ok() && array(121).is_err());
        let nested = |depth: usize| format!("{{\"b\":1,\"c\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let named = |depth: usize| typed::<BTreeMap<String, Value>>(nested(depth).as_bytes());
        assert!(named(119).is_ok() && named(120).is_err());
        let ignored = |depth: usize| typed::<Shape>(format!("{{\"Named\":{}}}", nested(depth)).as_bytes());
        assert!(ignored(118).is_ok() && ignored(119).is_err());
    }
}
