package data

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sort"
	"strconv"
	"time"
)

var (
	marshaler     = reflect.TypeOf((*json.Marshaler)(nil)).Elem()
	textMarshaler = reflect.TypeOf((*encoding.TextMarshaler)(nil)).Elem()
	bytesType     = reflect.TypeOf([]byte(nil))
	timeType      = reflect.TypeOf(time.Time{})
	numberType    = reflect.TypeOf(json.Number(""))
)

// appendReflected appends what is not made of the types that Decode gives.
func appendReflected(text []byte, value reflect.Value, at level) ([]byte, error) {
	kind := value.Type()
	if isNil(value) {
		return append(text, "null"...), nil
	}
	if elem(kind) == timeType {
		return nil, refuseTime(timeType)
	}
	if kind == numberType {
		return appendNumber(text, json.Number(value.String()))
	}
	if kind.Implements(marshaler) || kind.Implements(textMarshaler) {
		return appendMarshaled(text, value, at)
	}
	switch value.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(text, value.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(text, value.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if value.Uint() > 1<<63-1 {
			return nil, refuse("an integer beyond int64")
		}
		return strconv.AppendUint(text, value.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(text, value.Float())
	case reflect.String:
		return appendString(text, value.String())
	case reflect.Pointer, reflect.Interface:
		if at.pointers++; at.pointers > maxDepth {
			return nil, tooDeep // pointers in a circle
		}
		return appendInner(text, value.Elem(), at)
	}
	if at.depth == maxDepth {
		return nil, tooDeep
	}
	switch value.Kind() {
	case reflect.Slice:
		if kind.Elem().Kind() == reflect.Uint8 {
			return appendBytes(text, value.Bytes(), at.inner())
		}
		return appendItems(text, value, at.inner())
	case reflect.Array:
		return appendItems(text, value, at.inner())
	case reflect.Map:
		return appendMap(text, value, at.inner())
	case reflect.Struct:
		return appendStruct(text, value, at.inner())
	}
	return nil, refuse("a %s", kind)
}

// appendInner takes the fast ways for a value inside another, where it can.
func appendInner(text []byte, value reflect.Value, at level) ([]byte, error) {
	switch value.Kind() {
	case reflect.Interface, reflect.Map, reflect.Slice:
		if value.CanInterface() {
			return appendValue(text, value.Interface(), at)
		}
	}
	return appendReflected(text, value, at)
}

func isNil(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return value.IsNil()
	}
	return false
}

// IsNil says whether a value is nil, or a typed nil.
func IsNil(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string, int64, int, float64, bool, Null:
		return false
	case map[string]any:
		return value == nil
	case []any:
		return value == nil
	}
	return isNil(reflect.ValueOf(value))
}

// appendMarshaled reads what the type's own method wrote, so that it is checked as everything else is.
func appendMarshaled(text []byte, value reflect.Value, at level) ([]byte, error) {
	switch own := value.Interface().(type) {
	case json.Marshaler:
		written, err := own.MarshalJSON()
		if err != nil {
			return nil, &Error{err.Error()}
		}
		decoded, err := Decode(written)
		if err != nil {
			return nil, err
		}
		if !isExact(written) {
			return nil, refuse("an integer beyond int64")
		}
		if isTime(value, written) {
			return nil, refuseTime(value.Type())
		}
		return appendValue(text, decoded, at)
	case encoding.TextMarshaler:
		written, err := own.MarshalText()
		if err != nil {
			return nil, &Error{err.Error()}
		}
		return appendString(text, string(written))
	}
	return nil, refuse("a %s", value.Type())
}

func refuseTime(kind reflect.Type) error {
	return &refusal{what: "a " + kind.String(), instead: "t.Format(time.RFC3339Nano)"}
}

// isTime says whether a type has its MarshalJSON of a time.Time inside: it says nothing of its own.
func isTime(value reflect.Value, written []byte) bool {
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return false
	}
	field, is := value.Type().FieldByName("Time")
	if !is || !field.Anonymous || elem(field.Type) != timeType {
		return false
	}
	inner, err := value.FieldByIndexErr(field.Index)
	if err != nil || isNil(inner) {
		return false
	}
	text, err := json.Marshal(inner.Interface())
	return err == nil && string(text) == string(written)
}

func appendItems(text []byte, items reflect.Value, at level) ([]byte, error) {
	text = append(text, '[')
	var err error
	for i := 0; i < items.Len(); i++ {
		if i > 0 {
			text = append(text, ',')
		}
		if len(text) > at.end {
			return nil, TooLong
		}
		if text, err = appendInner(text, items.Index(i), at); err != nil {
			return nil, inItem(err, i)
		}
	}
	return append(text, ']'), nil
}

func appendMap(text []byte, object reflect.Value, at level) ([]byte, error) {
	names := make([]string, 0, object.Len())
	values := make(map[string]reflect.Value, object.Len())
	for each := object.MapRange(); each.Next(); {
		name, err := keyText(each.Key())
		if err != nil {
			return nil, err
		}
		if _, is := values[name]; is {
			return nil, refuse("a map with two keys %q", name)
		}
		names = append(names, name)
		values[name] = each.Value()
	}
	sort.Strings(names)
	text = append(text, '{')
	var err error
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		if text, err = appendKey(text, name, len(names)); err != nil {
			return nil, err
		}
		if len(text) > at.end {
			return nil, TooLong
		}
		if text, err = appendInner(text, values[name], at); err != nil {
			return nil, inField(err, name)
		}
	}
	return append(text, '}'), nil
}

func keyText(key reflect.Value) (string, error) {
	if key.Type() == timeType {
		return "", refuseTime(timeType)
	}
	if own, ok := key.Interface().(encoding.TextMarshaler); ok && key.Kind() != reflect.String {
		text, err := own.MarshalText()
		if err != nil {
			err = &Error{err.Error()}
		}
		return string(text), err
	}
	switch key.Kind() {
	case reflect.String:
		return key.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(key.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(key.Uint(), 10), nil
	}
	return "", refuse("a map with %s keys", key.Type())
}

func appendStruct(text []byte, value reflect.Value, at level) ([]byte, error) {
	all := membersOf(value.Type())
	if len(all) == 0 && hasHidden(value.Type()) {
		return nil, refuse("a %s, of which no field is exported,", value.Type())
	}
	text = append(text, '{')
	first := true
	for _, member := range all {
		if member.clashes {
			return nil, refuse("a %s with two fields %q", value.Type(), member.name)
		}
		field, err := value.FieldByIndexErr(member.index)
		if err != nil || member.omitEmpty && isEmpty(field) {
			continue // an embedded pointer that is nil has no fields
		}
		if !first {
			text = append(text, ',')
		}
		first = false
		if text, err = appendKey(text, member.name, len(all)); err != nil {
			return nil, err
		}
		if member.isQuoted && isScalar(field.Kind()) {
			inner, err := appendReflected(nil, field, at)
			if err != nil {
				return nil, err
			}
			if text, err = appendString(text, string(inner)); err != nil {
				return nil, err
			}
			continue
		}
		if len(text) > at.end {
			return nil, TooLong
		}
		if text, err = appendInner(text, field, at); err != nil {
			return nil, inField(err, member.name)
		}
	}
	return append(text, '}'), nil
}

// hasHidden says whether a struct has fields that are not exported, other than embedded or blank ones.
func hasHidden(kind reflect.Type) bool {
	for i := 0; i < kind.NumField(); i++ {
		if field := kind.Field(i); field.PkgPath != "" && field.Name != "_" {
			return true
		}
	}
	return false
}

func isScalar(kind reflect.Kind) bool { return kind >= reflect.Bool && kind <= reflect.Float64 }

func isEmpty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return value.Len() == 0
	case reflect.Struct:
		return false
	}
	return value.IsZero()
}
