//! A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.
//! Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use flow::prelude::*;
use serde::Serializer;

static KEPT: Mutex<Vec<Value>> = Mutex::new(Vec::new());

/// A value, or one that only Rust's types can make, perhaps wrapped in values.
#[derive(Clone)]
pub enum V {
    Json(Value),
    Odd(String),
    Dict(String, Box<V>),
    List(String, Vec<V>),
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Wrap(u64);
#[derive(Serialize)]
struct Pair(i8, f32);
#[derive(Serialize)]
struct Named {
    a: Option<()>,
    b: char,
}
#[derive(Serialize)]
enum Shape {
    Unit,
    New(f32),
    Pair(u8, &'static str),
    Named { x: i64 },
}

struct Failing;

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it fails by itself"))
    }
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inner, level| if level % 2 == 1 { json!([inner]) } else { json!({ "d": inner }) })
}

fn odd<S: Serializer>(name: &str, to: S) -> Result<S::Ok, S::Error> {
    match name {
        "u64_max" => u64::MAX.serialize(to),
        "u64_over" => (1_u64 << 63).serialize(to),
        "i64_max" => i64::MAX.serialize(to),
        "i64_min" => i64::MIN.serialize(to),
        "i128" => 5_i128.serialize(to),
        "f32" => 0.1_f32.serialize(to),
        "f32s" => vec![0.5_f32, 1e-45].serialize(to),
        "nan" => f64::NAN.serialize(to),
        "nan_f32" => Some(f32::NAN).serialize(to),
        "infinity" => vec![f64::INFINITY].serialize(to),
        "minus_zero" => (-0.0_f64).serialize(to),
        "tiny" => 5e-324_f64.serialize(to),
        "huge" => f64::MAX.serialize(to),
        "whole" => 1e15_f64.serialize(to),
        "wide" => 1e300_f64.serialize(to),
        "int_keys" => BTreeMap::from([(-1, "a"), (20, "b")]).serialize(to),
        "float_keys" => vec![BTreeMap::from([(true, 1)])].serialize(to),
        "list_keys" => BTreeMap::from([(vec![1], 1)]).serialize(to),
        "none_keys" => HashMap::from([(None::<i32>, 1)]).serialize(to),
        "unit_keys" => BTreeMap::from([((), 1)]).serialize(to),
        "char_keys" => BTreeMap::from([('\u{10ffff}', 1)]).serialize(to),
        "unit" => ().serialize(to),
        "unit_struct" => Unit.serialize(to),
        "newtype" => Wrap(3).serialize(to),
        "newtype_over" => Wrap(u64::MAX).serialize(to),
        "tuple_struct" => Pair(-1, 2.5).serialize(to),
        "struct" => Named { a: None, b: '\u{0}' }.serialize(to),
        "shapes" => [Shape::Unit, Shape::New(0.1), Shape::Pair(1, "p"), Shape::Named { x: 1 }].serialize(to),
        "tuple" => (1, "a", [2.5]).serialize(to),
        "empty_tuple" => [(); 0].serialize(to),
        "bytes" => Bytes(b"ab\xff".to_vec()).serialize(to),
        "own_bytes" => json!({"$bytes": "YQ=="}).serialize(to),
        "bad_bytes" => json!({"$bytes": [1]}).serialize(to),
        "escaped" => json!({"$$bytes": 1}).serialize(to),
        "failing" => vec![Failing].serialize(to),
        "system_time" => SystemTime::UNIX_EPOCH.serialize(to),
        "duration" => Duration::from_millis(1500).serialize(to),
        "none" => None::<i32>.serialize(to),
        "null" => Value::Null.serialize(to),
        "deep" => deep(110).serialize(to),
        "deep_limit" => deep(120).serialize(to),
        "deep_over" => deep(121).serialize(to),
        "big_text" => "x".repeat(100_000).serialize(to),
        "big_list" => (0..20_000).collect::<Vec<_>>().serialize(to),
        "long" => "\u{20ac}".repeat(600).serialize(to),
        "special" => "\u{0}\u{2028}\u{10ffff}\"\\/".serialize(to),
        "empty_key" => json!({"": {"__proto__": 1}}).serialize(to),
        _ => panic!("there is no {name}"),
    }
}

impl Serialize for V {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(to),
            Self::Odd(name) => odd(name, to),
            Self::Dict(case, value) => to.collect_map([("case", &Self::Json(json!(case))), ("v", &**value)]),
            Self::List(case, values) => to.collect_seq(std::iter::once(&Self::Json(json!(case))).chain(values)),
        }
    }
}

/// The case that a message belongs to, "-" if it does not tell.
fn case_of(message: &Value) -> String {
    match message {
        Value::Object(map) => map.get("case").map_or_else(|| "-".to_owned(), case_of),
        Value::Array(items) => items.first().map_or_else(|| "-".to_owned(), case_of),
        Value::String(text) => text.split(':').next().unwrap_or_default().to_owned(),
        Value::Number(number) => number.as_i64().map_or_else(|| "-".to_owned(), |number| number.to_string()),
        _ => "-".to_owned(),
    }
}

fn mutate(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(mutate);
            map.retain(|key, _| key == "case");
            map.insert("mutated".to_owned(), json!(["yes"]));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(mutate);
            items.push(json!("mutated"));
        }
        _ => {}
    }
}

fn mutate_any(value: &mut V) {
    match value {
        V::Json(value) => mutate(value),
        V::Odd(_) => {}
        V::Dict(_, value) => mutate_any(value),
        V::List(_, values) => values.iter_mut().for_each(mutate_any),
    }
}

fn keep(value: &V) {
    if let V::Json(value) = value {
        KEPT.lock().unwrap().push(value.clone());
    }
}

/// Do as the program says; returns what the handler returns.
fn act(mut message: Value, context: &mut Context) -> Result<Option<V>> {
    let case = case_of(&message);
    let config = context.config().clone();
    if config["die"].as_array().into_iter().flatten().any(|died| *died == json!(case)) && !context.redelivered() {
        let kill = std::process::Command::new("kill").arg("-9").arg(std::process::id().to_string()).status();
        kill.map(|_| std::thread::sleep(Duration::from_secs(9)))?;
    }
    let dict = |value: V| V::Dict(case.clone(), Box::new(value));
    let mut value = V::Json(message.clone());
    let default = json!([["return"]]);
    for step in config["programs"].get(&case).unwrap_or(&default).as_array().into_iter().flatten() {
        let rest = || step[1].as_str().unwrap_or_default();
        match step[0].as_str().unwrap_or_default() {
            "value" => value = V::Json(step[1].clone()),
            "make" => value = V::Odd(rest().to_owned()),
            "dict" => value = dict(value),
            "list" => value = V::List(case.clone(), vec![value]),
            "twice" => value = V::List(case.clone(), vec![value.clone(), value]),
            "message" => value = V::Json(message.clone()),
            "table" => value = V::Json(json!({"prices": [20, {"a": 1}], "name": "table"})),
            "part" => value = dict(V::Json(config["part"].clone())),
            "config" => value = dict(V::Json(json!({"count": config["count"], "part": config["part"]}))),
            "get" => value = context.get(rest())?.map_or_else(|| dict(V::Json(json!("default"))), V::Json),
            "set" => context.set(rest(), &value)?,
            "saw" => context.set(&format!("saw {case}"), format!("{message:?}"))?,
            "keep" => keep(&value),
            "keep_message" => keep(&V::Json(message.clone())),
            "spoil" => KEPT.lock().unwrap().drain(..).for_each(|mut kept| mutate(&mut kept)),
            "mutate" => mutate_any(&mut value),
            "mutate_message" => mutate(&mut message),
            "send" => context.send(rest(), &value)?,
            "send_with" => context.send_with("out", &value, &Headers::from([("x-h".to_owned(), case.clone())]))?,
            "catch" => {
                if let Err(error) = context.send("out", &value) {
                    context.send("side", json!([case, error.to_string()]))?;
                }
            }
            "catch_set" => {
                if let Err(error) = context.set("caught", &value) {
                    context.set("caught", json!([case, error.to_string()]))?;
                }
            }
            "fail" => return Err(format!("case {case}").into()),
            "return" => return Ok(Some(value)),
            word => panic!("the word {word}"),
        }
    }
    Ok(None)
}
