//! Base64 with the standard alphabet and padding, decoded strictly.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() + 2) / 3 * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            text.push(if digit <= chunk.len() {
                ALPHABET[(group >> (18 - 6 * digit) & 63) as usize] as char
            } else {
                '='
            });
        }
    }
    text
}

/// None if it is not exactly what `encode` gives.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.len() % 4 != 0 {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    for (at, &byte) in text[..text.len() - padding].iter().enumerate() {
        group = group << 6 | digit(byte)?;
        if at % 4 == 3 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            group = 0;
        }
    }
    if padding > 0 {
        if group & ((1 << (2 * padding)) - 1) != 0 {
            return None;
        }
        bytes.extend_from_slice(&(group << (6 * padding)).to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 2, 3, 4, 5, 255, 256] {
            let text = encode(&all[..length]);
            assert_eq!(decode(&text).as_deref(), Some(&all[..length]));
        }
        assert_eq!(encode(b"\0\x01\xff"), "AAH/");
    }

    #[test]
    fn strict() {
        for text in ["A", "AA", "AAA", "A===", "AB==", "AAB=", "AA==AA==", "A A=", "====", "AAA\n"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
