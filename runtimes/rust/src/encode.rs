//! Any serde value to JSON by the data contract: what cannot be represented exactly is refused. It does not know frames.

use serde::ser::Serialize;

use crate::decode::decode;
use crate::encoder::Encoder;
use crate::error::DataError;

/// Append the JSON of a value; nothing is appended if it is refused.
pub fn encode<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), DataError> {
    let start = out.len();
    let mut encoder = Encoder::new(out);
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
