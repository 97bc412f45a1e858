package data

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"unicode/utf8"
)

// Null is a JSON null at the top level of a message, where nil means that there is no value.
type Null struct{}

// AnyLength is for what the host itself has made.
const AnyLength = math.MaxInt / 2

// TooLong is the error of a value whose JSON has more bytes than it may have.
var TooLong = &Error{"a value that is too long"}

// level is where in a value the encoder is, and where its text must have ended: what points to the same again and again
// has few parts and a text without end.
type level struct{ depth, end, pointers int }

func (l level) inner() level { return level{l.depth + 1, l.end, 0} }

// Append appends the compact JSON text of a value, which has about `most` bytes at most; on an error what it returns is of
// no use.
func Append(text []byte, value any, most int) ([]byte, error) {
	text, err := appendValue(text, value, level{end: len(text) + most})
	return text, finished(err)
}

func appendValue(text []byte, value any, at level) ([]byte, error) {
	switch value := value.(type) {
	case nil, Null:
		return append(text, "null"...), nil
	case string:
		return appendString(text, value)
	case int64:
		return strconv.AppendInt(text, value, 10), nil
	case int:
		return strconv.AppendInt(text, int64(value), 10), nil
	case float64:
		return appendFloat(text, value)
	case bool:
		return strconv.AppendBool(text, value), nil
	case map[string]any:
		if value == nil {
			return append(text, "null"...), nil
		}
		return appendObject(text, value, at.inner())
	case []any:
		if value == nil {
			return append(text, "null"...), nil
		}
		return appendArray(text, value, at.inner())
	case []byte:
		return appendBytes(text, value, at.inner())
	case json.Number:
		return appendNumber(text, value)
	default:
		return appendReflected(text, reflect.ValueOf(value), at)
	}
}

func appendArray(text []byte, array []any, at level) ([]byte, error) {
	if at.depth > maxDepth {
		return nil, tooDeep
	}
	text = append(text, '[')
	var err error
	for i, value := range array {
		if i > 0 {
			text = append(text, ',')
		}
		if len(text) > at.end {
			return nil, TooLong
		}
		if text, err = appendValue(text, value, at); err != nil {
			return nil, inItem(err, i)
		}
	}
	return append(text, ']'), nil
}

// appendObject writes the keys in order: what a module sends is the same in every run.
func appendObject(text []byte, object map[string]any, at level) ([]byte, error) {
	if at.depth > maxDepth {
		return nil, tooDeep
	}
	var few [16]string
	keys := few[:0]
	for key := range object {
		keys = append(keys, key)
	}
	sortKeys(keys)
	text = append(text, '{')
	var err error
	for i, key := range keys {
		if i > 0 {
			text = append(text, ',')
		}
		if len(text) > at.end {
			return nil, TooLong
		}
		if text, err = appendKey(text, key, len(keys)); err != nil {
			return nil, err
		}
		if text, err = appendValue(text, object[key], at); err != nil {
			return nil, inField(err, key)
		}
	}
	return append(text, '}'), nil
}

func appendKey(text []byte, key string, keys int) ([]byte, error) {
	if keys == 1 && isBytesKey(key) {
		key = "$" + key
	}
	text, err := appendString(text, key)
	return append(text, ':'), err
}

func appendBytes(text []byte, content []byte, at level) ([]byte, error) {
	if content == nil {
		return append(text, "null"...), nil
	}
	if at.depth > maxDepth {
		return nil, tooDeep
	}
	text = append(text, `{"$bytes":"`...)
	start, size := len(text), base64.StdEncoding.EncodedLen(len(content))
	text = append(text, make([]byte, size)...)
	base64.StdEncoding.Encode(text[start:], content)
	return append(text, `"}`...), nil
}

// appendFloat writes the shortest digits that are this double; a whole one keeps its ".0", so that it stays a float64.
func appendFloat(text []byte, value float64) ([]byte, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil, refuse("%v", value)
	}
	if size := math.Abs(value); value != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(text, value, 'e', -1, 64), nil
	}
	start := len(text)
	text = strconv.AppendFloat(text, value, 'f', -1, 64)
	for _, c := range text[start:] {
		if c == '.' {
			return text, nil
		}
	}
	return append(text, ".0"...), nil
}

func appendNumber(text []byte, number json.Number) ([]byte, error) {
	if number == "" { // its zero value
		number = "0"
	}
	value, err := Decode([]byte(number))
	switch value.(type) {
	case int64, float64:
		if !isExact([]byte(number)) {
			break
		}
		return appendValue(text, value, level{end: math.MaxInt})
	}
	if err != nil {
		return nil, refuse("the json.Number %q", string(number))
	}
	return nil, refuse("an integer beyond int64")
}

var integers = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?[0-9]{19,}[.eE]?`)

// isExact says whether no integer of a JSON text is beyond int64: Decode would round it.
func isExact(text []byte) bool {
	for _, literal := range integers.FindAll(text, -1) {
		if last := literal[len(literal)-1]; last < '0' || last > '9' {
			continue // a text, or a double
		}
		if _, err := strconv.ParseInt(string(literal), 10, 64); err != nil {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

func appendString(text []byte, value string) ([]byte, error) {
	text = append(text, '"')
	start, wide := 0, byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		wide |= c
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		text = append(text, value[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			text = append(text, '\\', c)
		case '\n':
			text = append(text, '\\', 'n')
		case '\r':
			text = append(text, '\\', 'r')
		case '\t':
			text = append(text, '\\', 't')
		default:
			text = append(text, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	if wide >= utf8.RuneSelf {
		if err := checkText(value); err != nil {
			return nil, err
		}
	}
	text = append(text, value[start:]...)
	return append(text, '"'), nil
}

// CheckText refuses what is no text in JSON.
func CheckText(text string) error { return finished(checkText(text)) }

func checkText(text string) error {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			if utf8.ValidString(text) {
				return nil
			}
			return refuse("a text that is not UTF-8 (or has a lone surrogate)")
		}
	}
	return nil
}

// sortKeys is quick for the few keys that objects have.
func sortKeys(keys []string) {
	if len(keys) > 12 {
		sort.Strings(keys)
		return
	}
	for i := 1; i < len(keys); i++ {
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
}
