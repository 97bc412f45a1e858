package data

import (
	"encoding/base64"
	"math"
	"strconv"
	"sync"
)

const (
	maxDepth      = 120
	controlLevels = 2 // around a context's value
	cachedBytes   = 32
	cacheEntries  = 512
)

// cached is a short text that came before: keys and names come again and again, and a boxed text costs two allocations.
type cached struct {
	text  string
	value any
}

type field struct {
	key   string
	value any
}

// Decoder reads JSON values, one after the other, from the same bytes.
type Decoder struct {
	text   []byte
	at     int
	fields []field // of the objects and arrays being read, a stack
	cache  [cacheEntries]cached
	buffer []byte
}

var decoders = sync.Pool{New: func() any { return new(Decoder) }}

// Decode reads a text that is one value.
func Decode(text []byte) (any, error) {
	decoder := decoders.Get().(*Decoder)
	defer decoders.Put(decoder)
	return decoder.Decode(text)
}

// DecodeControl reads the body of a control frame, whose parts are values of their own.
func DecodeControl(body []byte) (any, error) {
	decoder := decoders.Get().(*Decoder)
	defer decoders.Put(decoder)
	return decoder.decode(body, -controlLevels)
}

// Decode reads a text that is one value.
func (d *Decoder) Decode(text []byte) (any, error) {
	return d.decode(text, 0)
}

func (d *Decoder) decode(text []byte, depth int) (any, error) {
	d.Reset(text, 0)
	d.fields = d.fields[:0]
	value, err := d.value(depth)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at != len(d.text) {
		return nil, d.bad("the end")
	}
	return value, nil
}

// Reset goes to a place in a text.
func (d *Decoder) Reset(text []byte, at int) {
	d.text, d.at = text, at
}

// At is the place of the next byte.
func (d *Decoder) At() int { return d.at }

// Peek is the next byte that is not white space, 0 at the end.
func (d *Decoder) Peek() byte {
	d.space()
	return d.peek()
}

// Take goes over the byte that Peek has seen.
func (d *Decoder) Take() { d.at++ }

// Next reads the next value.
func (d *Decoder) Next() (any, error) {
	d.fields = d.fields[:0]
	return d.value(0)
}

// Bad is the error that something else stands at this place.
func (d *Decoder) Bad(wanted string) error { return d.bad(wanted) }

func (d *Decoder) bad(wanted string) error {
	if d.at >= len(d.text) {
		return &Error{"not JSON: it ends where " + wanted + " is expected"}
	}
	return &Error{"not JSON: " + strconv.QuoteRune(rune(d.text[d.at])) + " at byte " + strconv.Itoa(d.at) + " where " + wanted + " is expected"}
}

func (d *Decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\n', '\r', '\t':
			d.at++
		default:
			return
		}
	}
}

func (d *Decoder) peek() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

func (d *Decoder) value(depth int) (any, error) {
	d.space()
	switch c := d.peek(); c {
	case '"':
		return d.boxed()
	case '{':
		return d.object(depth + 1)
	case '[':
		return d.array(depth + 1)
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return nil, d.word("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return d.number()
		}
		return nil, d.bad("a value")
	}
}

func (d *Decoder) word(word string) error {
	if len(d.text)-d.at < len(word) || string(d.text[d.at:d.at+len(word)]) != word {
		return d.bad(word)
	}
	d.at += len(word)
	return nil
}

func (d *Decoder) object(depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooDeep
	}
	d.at++
	first := len(d.fields)
	if d.space(); d.peek() == '}' {
		d.at++
		return map[string]any{}, nil
	}
	for {
		if d.space(); d.peek() != '"' {
			return nil, d.bad("a key")
		}
		key, err := d.key()
		if err != nil {
			return nil, err
		}
		if d.space(); d.peek() != ':' {
			return nil, d.bad("':'")
		}
		d.at++
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		d.fields = append(d.fields, field{key, value})
		d.space()
		switch d.peek() {
		case ',':
			d.at++
		case '}':
			d.at++
			fields := d.fields[first:]
			d.fields = d.fields[:first]
			return objectOf(fields)
		default:
			return nil, d.bad("',' or '}'")
		}
	}
}

// objectOf makes the map, or what {"$bytes": ...} stands for.
func objectOf(fields []field) (any, error) {
	if len(fields) == 1 && isBytesKey(fields[0].key) {
		if key := fields[0].key; key != "$bytes" {
			return map[string]any{key[1:]: fields[0].value}, nil
		}
		text, _ := fields[0].value.(string)
		if content, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && len(text)%4 == 0 && isText(fields[0].value) {
			return content, nil
		}
		return nil, &Error{"$bytes without valid base64"}
	}
	object := make(map[string]any, len(fields))
	for _, field := range fields {
		object[field.key] = field.value
	}
	return object, nil
}

func isText(value any) bool {
	_, is := value.(string)
	return is
}

// isBytesKey says whether a sole key needs or has an escape: $bytes, $$bytes and so on.
func isBytesKey(key string) bool {
	n := len(key) - len("bytes")
	if n < 1 || key[n:] != "bytes" {
		return false
	}
	for i := 0; i < n; i++ {
		if key[i] != '$' {
			return false
		}
	}
	return true
}

func (d *Decoder) array(depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooDeep
	}
	d.at++
	first := len(d.fields)
	if d.space(); d.peek() == ']' {
		d.at++
		return []any{}, nil
	}
	for {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		d.fields = append(d.fields, field{"", value})
		d.space()
		switch d.peek() {
		case ',':
			d.at++
		case ']':
			d.at++
			array := make([]any, len(d.fields)-first)
			for i := range array {
				array[i] = d.fields[first+i].value
			}
			d.fields = d.fields[:first]
			return array, nil
		default:
			return nil, d.bad("',' or ']'")
		}
	}
}

func (d *Decoder) digits() bool {
	start := d.at
	for d.at < len(d.text) && d.text[d.at]-'0' <= 9 {
		d.at++
	}
	return d.at > start
}

func (d *Decoder) number() (any, error) {
	start := d.at
	if d.peek() == '-' {
		d.at++
	}
	leading := d.at
	if !d.digits() {
		return nil, d.bad("a digit")
	}
	if d.text[leading] == '0' && d.at > leading+1 {
		return nil, &Error{"not JSON: a number with a leading zero"}
	}
	isInteger := true
	if d.peek() == '.' {
		isInteger = false
		if d.at++; !d.digits() {
			return nil, d.bad("a digit")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		isInteger = false
		d.at++
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if !d.digits() {
			return nil, d.bad("a digit")
		}
	}
	literal := d.text[start:d.at]
	if isInteger {
		if value, fits := integer(literal); fits {
			return value, nil
		}
	}
	value, err := strconv.ParseFloat(string(literal), 64)
	if err != nil || math.IsInf(value, 0) {
		return nil, &Error{"a number beyond the range of a double"}
	}
	return value, nil
}

// integer reads a valid literal, if it is an int64.
func integer(literal []byte) (int64, bool) {
	if len(literal) > 18 {
		value, err := strconv.ParseInt(string(literal), 10, 64)
		return value, err == nil
	}
	value, digits := int64(0), literal
	if literal[0] == '-' {
		digits = literal[1:]
	}
	for _, digit := range digits {
		value = value*10 + int64(digit-'0')
	}
	if len(digits) < len(literal) {
		value = -value
	}
	return value, true
}
