//! Decode, identity, encode with serde_json; prints the microseconds of processor time a message.

use std::io::Read;

use serde_json::Value;

extern "C" {
    fn clock() -> i64; // microseconds of this process
}

fn run(message: Value) -> Value {
    message
}

fn encode(input: &[u8], text: &mut Vec<u8>) -> usize {
    let messages: Vec<Value> = serde_json::from_slice(input).unwrap();
    let count = messages.len();
    for (at, message) in messages.into_iter().enumerate() {
        if at > 0 {
            text.extend_from_slice(b",\n");
        }
        serde_json::to_writer(&mut *text, &run(message)).unwrap();
    }
    count
}

fn repeat(times: usize, input: &[u8]) -> usize {
    let mut text = Vec::new();
    (0..times)
        .map(|_| {
            text.clear();
            encode(input, &mut text)
        })
        .sum()
}

fn main() {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).unwrap();
    let rounds: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    repeat(rounds / 4, &input);
    let begun = unsafe { clock() };
    let count = repeat(rounds, &input);
    let used = unsafe { clock() } - begun;
    println!("{}", used as f64 / count as f64);
}
