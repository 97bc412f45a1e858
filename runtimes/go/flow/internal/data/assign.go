package data

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Assign puts a decoded value into the variable that `target` points to. What does not fit exactly is refused; as in
// encoding/json, null leaves a variable as it is, missing fields stay zero and unknown ones are nobody's.
func Assign(target any, value any) error {
	return assign(reflect.ValueOf(target).Elem(), value, "")
}

func misfit(target reflect.Value, value any, path string) error {
	if path != "" {
		path = " of " + strings.TrimPrefix(path, ".")
	}
	return &Error{fmt.Sprintf("the %s%s does not fit into %s", describe(value), path, target.Type())}
}

func describe(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int64:
		return fmt.Sprintf("integer %d", value)
	case float64:
		return fmt.Sprintf("number %v", value)
	case string:
		return "text"
	case []byte:
		return "bytes"
	case []any:
		return "array"
	}
	return "object"
}

func assign(target reflect.Value, value any, path string) error {
	if target.Kind() == reflect.Interface && target.NumMethod() == 0 {
		if value != nil {
			target.Set(reflect.ValueOf(value))
		}
		return nil
	}
	if target.Kind() == reflect.Pointer && value != nil {
		if target.IsNil() {
			target.Set(reflect.New(target.Type().Elem()))
		}
		return assign(target.Elem(), value, path)
	}
	if done, err := assignOwn(target, value); done {
		if err != nil {
			return &Error{fmt.Sprintf("%s: %v", misfit(target, value, path), err)}
		}
		return nil
	}
	if value == nil {
		return nil
	}
	switch target.Kind() {
	case reflect.Bool, reflect.String:
		// A named type is set by its underlying one.
		if given := reflect.ValueOf(value); given.Kind() == target.Kind() {
			target.Set(given.Convert(target.Type()))
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if whole, ok := whole(value); ok && !target.OverflowInt(whole) {
			target.SetInt(whole)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if whole, ok := whole(value); ok && whole >= 0 && !target.OverflowUint(uint64(whole)) {
			target.SetUint(uint64(whole))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if number, ok := double(value); ok {
			if target.SetFloat(number); target.Float() == number {
				return nil
			}
			if target.Kind() == reflect.Float32 {
				return &Error{misfit(target, value, path).Error() + " exactly: use float64"}
			}
		}
	case reflect.Slice, reflect.Array:
		return assignItems(target, value, path)
	case reflect.Map:
		if object, ok := value.(map[string]any); ok {
			return assignMap(target, object, path)
		}
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			return assignStruct(target, object, path)
		}
	}
	return misfit(target, value, path)
}

// assignOwn lets the type read itself, when it can.
func assignOwn(target reflect.Value, value any) (bool, error) {
	if !target.CanAddr() || !target.Addr().CanInterface() {
		return false, nil
	}
	switch own := target.Addr().Interface().(type) {
	case json.Unmarshaler:
		text, err := Append(nil, value, AnyLength)
		if err != nil {
			return true, err
		}
		return true, own.UnmarshalJSON(text)
	case encoding.TextUnmarshaler:
		if text, ok := value.(string); ok {
			return true, own.UnmarshalText([]byte(text))
		}
	case *json.Number:
		switch value.(type) {
		case int64, float64:
			text, err := Append(nil, value, AnyLength)
			*own = json.Number(text)
			return true, err
		}
	}
	return false, nil
}

func whole(value any) (int64, bool) {
	switch value := value.(type) {
	case int64:
		return value, true
	case float64:
		return int64(value), value == math.Trunc(value) && value >= -1<<63 && value < 1<<63
	}
	return 0, false
}

func double(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case int64:
		number := float64(value)
		return number, number < 1<<63 && int64(number) == value
	}
	return 0, false
}

func assignItems(target reflect.Value, value any, path string) error {
	if content, ok := value.([]byte); ok && target.Kind() == reflect.Slice && target.Type().Elem().Kind() == reflect.Uint8 {
		target.SetBytes(append([]byte{}, content...))
		return nil
	}
	array, ok := value.([]any)
	if !ok || target.Type() == bytesType || target.Kind() == reflect.Array && target.Len() != len(array) {
		return misfit(target, value, path)
	}
	if target.Kind() == reflect.Slice {
		target.Set(reflect.MakeSlice(target.Type(), len(array), len(array)))
	}
	for i, item := range array {
		if err := assign(target.Index(i), item, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func assignMap(target reflect.Value, object map[string]any, path string) error {
	kind := target.Type()
	result := reflect.MakeMapWithSize(kind, len(object))
	for name, value := range object {
		key, item := reflect.New(kind.Key()).Elem(), reflect.New(kind.Elem()).Elem()
		if err := assignKey(key, name, path); err != nil {
			return err
		}
		if err := assign(item, value, path+"."+name); err != nil {
			return err
		}
		result.SetMapIndex(key, item)
	}
	target.Set(result)
	return nil
}

func assignKey(key reflect.Value, name string, path string) error {
	if key.Kind() == reflect.String {
		key.SetString(name)
		return nil
	}
	if own, ok := key.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return own.UnmarshalText([]byte(name))
	}
	number, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return misfit(key, name, path)
	}
	return assign(key, number, path)
}

func assignStruct(target reflect.Value, object map[string]any, path string) error {
	for _, member := range membersOf(target.Type()) {
		value, ok := lookUp(object, member.name)
		if !ok {
			continue
		}
		field := reach(target, member.index)
		if text, isText := value.(string); isText && member.isQuoted && isScalar(field.Kind()) {
			inner, err := Decode([]byte(text))
			if err != nil {
				return misfit(field, value, path+"."+member.name)
			}
			value = inner
		}
		if err := assign(field, value, path+"."+member.name); err != nil {
			return err
		}
	}
	return nil
}

// lookUp prefers the exact key, and else takes the first that differs only in case.
func lookUp(object map[string]any, name string) (any, bool) {
	if value, ok := object[name]; ok {
		return value, true
	}
	found, is := "", false
	for key := range object {
		if strings.EqualFold(key, name) && (!is || key < found) {
			found, is = key, true
		}
	}
	return object[found], is
}

// reach goes to a field, through embedded pointers that it makes.
func reach(target reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if target.Kind() == reflect.Pointer {
			if target.IsNil() {
				target.Set(reflect.New(target.Type().Elem()))
			}
			target = target.Elem()
		}
		target = target.Field(i)
	}
	return target
}
