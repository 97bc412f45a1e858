package data

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// raw reads a text without its quotes; the bytes are only valid until the next one is read.
func (d *Decoder) raw() ([]byte, error) {
	d.at++
	start, wide := d.at, byte(0)
	for i := start; i < len(d.text); i++ {
		c := d.text[i]
		if c == '"' {
			d.at = i + 1
			if text := d.text[start:i]; wide < utf8.RuneSelf || utf8.Valid(text) {
				return text, nil
			}
			return nil, &Error{"invalid UTF-8"}
		}
		if c == '\\' {
			return d.escaped(start, i)
		}
		if c < ' ' {
			d.at = i
			return nil, d.bad("a text without control characters")
		}
		wide |= c
	}
	d.at = len(d.text)
	return nil, d.bad("'\"'")
}

// escaped reads the rest of a text from its first backslash on.
func (d *Decoder) escaped(start, at int) ([]byte, error) {
	text := append(d.buffer[:0], d.text[start:at]...)
	d.at = at
	for d.at < len(d.text) {
		c := d.text[d.at]
		switch {
		case c == '"':
			d.at++
			d.buffer = text
			if !utf8.Valid(text) {
				return nil, &Error{"invalid UTF-8"}
			}
			return text, nil
		case c < ' ':
			return nil, d.bad("a text without control characters")
		case c != '\\':
			d.at++
			text = append(text, c)
		default:
			d.at++
			i := bytes.IndexByte([]byte(`"\/bfnrt`), d.peek())
			if i >= 0 && d.at < len(d.text) {
				text = append(text, "\"\\/\b\f\n\r\t"[i])
				d.at++
				continue
			}
			letter, err := d.codePoint()
			if err != nil {
				return nil, err
			}
			text = utf8.AppendRune(text, letter)
		}
	}
	return nil, d.bad("'\"'")
}

// codePoint reads uXXXX, or two of them that are a surrogate pair.
func (d *Decoder) codePoint() (rune, error) {
	first, err := d.unit()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if d.peek() == '\\' {
		d.at++
		second, err := d.unit()
		if err != nil {
			return 0, err
		}
		if letter := utf16.DecodeRune(first, second); letter != utf8.RuneError {
			return letter, nil
		}
	}
	return 0, &Error{"a text with a lone surrogate"}
}

func (d *Decoder) unit() (rune, error) {
	if d.peek() != 'u' || len(d.text)-d.at < 5 {
		return 0, d.bad("an escape")
	}
	value := rune(0)
	for _, c := range d.text[d.at+1 : d.at+5] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 || c < '0' {
			return 0, d.bad("an escape")
		}
		value = value<<4 | rune(digit)
	}
	d.at += 5
	return value, nil
}

func slotOf(text []byte) uint {
	hash := uint(len(text))
	for _, c := range text {
		hash = hash*31 + uint(c)
	}
	return hash % cacheEntries
}

func (d *Decoder) key() (string, error) {
	text, err := d.raw()
	if err != nil {
		return "", err
	}
	if len(text) > cachedBytes {
		return string(text), nil
	}
	return d.known(text).text, nil
}

func (d *Decoder) boxed() (any, error) {
	text, err := d.raw()
	if err != nil {
		return nil, err
	}
	if len(text) > cachedBytes {
		return string(text), nil
	}
	return d.known(text).value, nil
}

func (d *Decoder) known(text []byte) *cached {
	entry := &d.cache[slotOf(text)]
	if entry.value == nil || entry.text != string(text) {
		entry.text = string(text)
		entry.value = entry.text
	}
	return entry
}
