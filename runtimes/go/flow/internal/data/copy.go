package data

import (
	"math"
	"unicode/utf8"
)

// IsPlain says whether a value is made of what Decode makes, so that it can be handed over as it is. The error is that
// of what no message can carry.
func IsPlain(value any) (bool, error) { return isPlain(value, 0) }

func isPlain(value any, depth int) (bool, error) {
	switch value := value.(type) {
	case nil, int64, bool:
		return true, nil
	case string:
		err := CheckText(value)
		return err == nil, err
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return false, refuse("%v", value)
		}
		return true, nil
	case []byte:
		if depth == maxDepth {
			return false, tooDeep
		}
		return value != nil, nil
	case []any:
		if depth == maxDepth {
			return false, tooDeep
		}
		for _, item := range value {
			if plain, err := isPlain(item, depth+1); !plain {
				return false, err
			}
		}
		return value != nil, nil
	case map[string]any:
		if depth == maxDepth {
			return false, tooDeep
		}
		for key, item := range value {
			if err := CheckText(key); err != nil {
				return false, err
			}
			if plain, err := isPlain(item, depth+1); !plain {
				return false, err
			}
		}
		return value != nil, nil
	default:
		return false, nil
	}
}

// Copy is what would have arrived over a wire: nothing of it is shared with the value.
func Copy(value any) (any, error) { return copyValue(value, 0) }

func copyValue(value any, depth int) (any, error) {
	switch value := value.(type) {
	case nil, int64, bool:
		return value, nil
	case Null:
		return nil, nil
	case int:
		return int64(value), nil
	case string:
		return value, CheckText(value)
	case []byte:
		if value != nil && depth < maxDepth {
			return append([]byte{}, value...), nil
		}
	case []any:
		if value != nil {
			return copyArray(value, depth+1)
		}
	case map[string]any:
		if value != nil {
			return copyObject(value, depth+1)
		}
	}
	text, err := appendValue(nil, value, depth)
	if err != nil {
		return nil, err
	}
	return Decode(text)
}

func copyArray(array []any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooDeep
	}
	result := make([]any, len(array))
	var err error
	for i, item := range array {
		if result[i], err = copyValue(item, depth); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func copyObject(object map[string]any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooDeep
	}
	result := make(map[string]any, len(object))
	for key, item := range object {
		if err := CheckText(key); err != nil {
			return nil, err
		}
		copied, err := copyValue(item, depth)
		if err != nil {
			return nil, err
		}
		result[key] = copied
	}
	return result, nil
}

// CheckText refuses what is no text in JSON.
func CheckText(text string) error {
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
