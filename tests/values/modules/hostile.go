// Package module does what its program says with the values it gets, makes and keeps: the words are in cases.py.
//
// Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.
package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"flow"
)

type point struct {
	X    int     `json:"x"`
	Y    float32 `json:"y,omitempty"`
	Deep []any   `json:"deep"`
	priv int
}

type hidden struct{ a int }

type inside struct {
	point
	N *int           `json:"n"`
	M map[string]int `json:"m"`
	Q int            `json:"q,string"`
	R json.RawMessage
}

type twice struct {
	A int `json:"x"`
	B int `json:"x"`
}

type marshals struct{ of string }

func (m marshals) MarshalJSON() ([]byte, error) { return []byte(m.of), nil }

type fails struct{}

func (fails) MarshalJSON() ([]byte, error) { return nil, errors.New("it does not want to") }

type stamp struct{ time.Time }

type named string

type rounds []*rounds

var (
	mutex sync.Mutex           // modules of one text share these, and a source has a goroutine of its own
	kept  = map[string][]any{} // by module
	table = map[string]any{"prices": []any{20, map[string]any{"a": 1}}, "name": "table"}
	one   = 1
	odd   = map[string]func() any{
		"time": func() any { return time.Unix(0, 0) }, "times": func() any { return []time.Time{time.Unix(0, 0)} },
		"stamp": func() any { return stamp{time.Unix(0, 0)} }, "duration": func() any { return time.Second },
		"nan": func() any { return math.NaN() }, "infinity": func() any { return []float64{math.Inf(1)} },
		"minus_zero": func() any { return math.Copysign(0, -1) }, "tiny": func() any { return 5e-324 },
		"huge": func() any { return math.MaxFloat64 }, "whole_float": func() any { return []any{1.0, 1e18, float64(1 << 60)} },
		"float32": func() any { return float32(0.1) }, "nan32": func() any { return []float32{float32(math.NaN())} },
		"int8": func() any { return []int8{-128, 127} }, "uint64": func() any { return uint64(math.MaxUint64) },
		"uint": func() any { return []uint{1, 2} }, "int64": func() any { return int64(math.MinInt64) },
		"big": func() any { return big.NewInt(5) }, "wide": func() any { return new(big.Int).Lsh(big.NewInt(1), 70) },
		"number": func() any { return json.Number("12") }, "wide_number": func() any { return json.Number("1180591620717411303424") },
		"bad_number": func() any { return []json.Number{"x"} }, "complex": func() any { return complex(1, 2) },
		"chan": func() any { return make(chan int) }, "function": func() any { return map[string]any{"f": math.Abs} },
		"surrogate": func() any { return "a\xed\xa0\x80b" }, "bad_key": func() any { return map[string]any{"\xff": 1} },
		"nul": func() any { return "\x00\u2028\U0010ffff" }, "null": func() any { return flow.Null },
		"null_in": func() any { return []any{flow.Null, nil} }, "nil": func() any { return nil }, "nil_map": func() any { return map[string]any(nil) },
		"nil_in": func() any { return []any{map[string]any(nil), []any(nil), []byte(nil), (*int)(nil)} }, "pointer": func() any { return &one },
		"point": func() any { return point{X: 1} }, "points": func() any { return []*point{{X: 2, Deep: []any{1, 1.5}}, nil} },
		"inside": func() any { return inside{point: point{X: 3}, R: json.RawMessage(`{"b": [1]}`)} }, "bad_raw": func() any { return inside{R: json.RawMessage(`{"b"`)} },
		"hidden": func() any { return hidden{1} }, "mutex": func() any { return &sync.Mutex{} }, "two_fields": func() any { return twice{1, 2} },
		"empty_struct": func() any { return struct{}{} }, "anonymous": func() any { return struct{ A, b int }{1, 2} },
		"marshals": func() any { return marshals{`{"a": [1, 2.50, "\u00e9"]}`} }, "marshals_null": func() any { return marshals{"null"} },
		"marshals_bad": func() any { return []any{marshals{"{"}} }, "marshals_wide": func() any { return marshals{"[1180591620717411303424]"} },
		"marshals_deep": func() any { return marshals{strings.Repeat("[", 121) + strings.Repeat("]", 121)} }, "fails": func() any { return fails{} },
		"ip": func() any { return net.IPv4(1, 2, 3, 4) }, "bytes": func() any { return []byte{1, 255} }, "bytes_in": func() any { return map[string][]byte{"a": {1}, "b": nil} },
		"byte_array": func() any { return [2]byte{1, 2} }, "runes": func() any { return []rune("ab") }, "named": func() any { return []named{"a"} },
		"own_bytes": func() any { return map[string]any{"$bytes": "YQ=="} }, "own_escaped": func() any { return map[string]any{"$$bytes": []byte("a")} },
		"int_keys": func() any { return map[int]string{1: "a", 2: "b"} }, "any_keys": func() any { return map[any]any{1: 2} }, "bool_keys": func() any { return map[bool]int{true: 1} },
		"time_keys": func() any { return map[time.Time]int{time.Unix(0, 0): 1} }, "text_map": func() any { return map[string]string{"b": "c", "a": "d"} },
		"error": func() any { return errors.New("e") }, "circle": circle, "round": func() any { r := rounds{nil}; r[0] = &r; return r },
		"deep": func() any { return deep(110) }, "deep_limit": func() any { return deep(120) }, "deep_over": func() any { return deep(121) },
		"very_deep": func() any { return deep(3000) }, "bomb": bomb, "shared": func() any { m := map[string]any{"p": []any{1}}; return []any{m, m} },
		"empty_key": func() any { return map[string]any{"": map[string]any{"__proto__": 1}} }, "big_text": func() any { return strings.Repeat("x", 100_000) },
		"big_list": func() any { return make([]int, 20_000) }, "long": func() any { return strings.Repeat("\u20ac", 600) }, "quotes": func() any { return strings.Repeat(`"`, 1500) },
	}
)

func circle() any {
	m := map[string]any{}
	m["m"] = []any{m}
	return m
}

func deep(levels int) any {
	var value any = 0
	for level := 0; level < levels; level++ {
		if level%2 == 0 {
			value = map[string]any{"d": value}
		} else {
			value = []any{value}
		}
	}
	return value
}

func bomb() any {
	value := []any{}
	for i := 0; i < 40; i++ {
		value = []any{value, value}
	}
	return value
}

// caseOf is the case that a message belongs to, "-" if it does not tell.
func caseOf(message any) string {
	switch message := message.(type) {
	case map[string]any:
		return caseOf(message["case"])
	case []any:
		if len(message) > 0 {
			return caseOf(message[0])
		}
	case []byte:
		return caseOf(string(message))
	case string:
		text, _, _ := strings.Cut(message, ":")
		return text
	case int64:
		return fmt.Sprint(message)
	case float64:
		return fmt.Sprint(math.Trunc(message))
	}
	return "-"
}

// mutate changes everything in a value that can be changed, but never the own table: it is the same after a death.
func mutate(value any, depth int) {
	if depth > 5 {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		if value == nil || value["name"] == "table" {
			return
		}
		_, told := value["case"]
		for key, item := range value {
			mutate(item, depth+1)
			if !told {
				delete(value, key)
			}
		}
		value["mutated"] = []any{"yes"}
	case []any:
		for i, item := range value {
			if mutate(item, depth+1); i > 0 {
				value[i] = "mutated"
			}
		}
	case []byte:
		for i := range value {
			value[i] = 7
		}
	case []int:
		for i := range value {
			value[i] = 7
		}
	}
}

// saw is what a value is, with the types of all its parts.
func saw(value any) string {
	switch value := value.(type) {
	case map[string]any:
		var parts []string
		for key, item := range value {
			parts = append(parts, key+": "+saw(item))
		}
		sort.Strings(parts)
		return "map(" + strings.Join(parts, ", ") + ")"
	case []any:
		var parts []string
		for _, item := range value {
			parts = append(parts, saw(item))
		}
		return "array(" + strings.Join(parts, ", ") + ")"
	}
	text := fmt.Sprintf("%T %v", value, value)
	if len(text) > 200 {
		text = text[:200]
	}
	return strings.ToValidUTF8(text, "?")
}

func keep(c *flow.Context, value any) {
	mutex.Lock()
	defer mutex.Unlock()
	kept[c.ModuleID()] = append(kept[c.ModuleID()], value)
}

func takeKept(c *flow.Context) []any {
	mutex.Lock()
	defer mutex.Unlock()
	all := kept[c.ModuleID()]
	delete(kept, c.ModuleID())
	return all
}

func wrapped(number string, value any) any { return map[string]any{"case": number, "v": value} }

// caught runs something that may panic with an error.
func caught(do func()) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = value.(error)
		}
	}()
	do()
	return nil
}

func told(number string, err error) any {
	kind := "?"
	var own *flow.Error
	if errors.As(err, &own) {
		kind = own.Type
	}
	return []any{number, kind, err.Error()}
}

// act does as the program says; the answer is what the handler returns.
func act(c *flow.Context, message any) (any, error) {
	config := c.Config().(map[string]any)
	number, value := caseOf(message), message
	for _, each := range config["die"].([]any) {
		if each == number && !c.Redelivered() {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Hour)
		}
	}
	program, is := config["programs"].(map[string]any)[number].([]any)
	if !is {
		return message, nil
	}
	for _, each := range program {
		step := each.([]any)
		switch word := step[0]; word {
		case "value":
			value = step[1]
			if value == nil {
				value = flow.Null
			}
		case "make":
			value = odd[step[1].(string)]()
		case "dict":
			value = wrapped(number, value)
		case "list":
			value = []any{number, value}
		case "twice":
			value = []any{number, value, value}
		case "message":
			value = message
		case "table":
			value = table
		case "part":
			value = wrapped(number, c.Config().(map[string]any)["part"])
		case "config":
			config := c.Config().(map[string]any)
			delete(config, "programs") // long, and not the same in all variants
			delete(config, "die")
			value = wrapped(number, config)
		case "get":
			value = c.Get(step[1].(string), wrapped(number, "default"))
		case "set":
			c.Set(step[1].(string), value)
		case "saw":
			c.Set("saw "+number, saw(message))
		case "keep":
			keep(c, value)
		case "keep_message":
			keep(c, message)
		case "spoil":
			for _, value := range takeKept(c) {
				mutate(value, 0)
			}
		case "mutate":
			mutate(value, 0)
		case "mutate_message":
			mutate(message, 0)
		case "send":
			c.Send(step[1].(string), value)
		case "send_with":
			c.Send("out", value, map[string]string{"x-h": number})
		case "catch":
			if err := caught(func() { c.Send("out", value) }); err != nil {
				c.Send("side", told(number, err))
			}
		case "catch_set":
			if err := caught(func() { c.Set("caught", value) }); err != nil {
				c.Set("caught", told(number, err))
			}
		case "fail":
			if len(number)%2 == 0 {
				panic("case " + number)
			}
			return nil, errors.New("case " + number)
		case "return":
			return value, nil
		default:
			panic(word)
		}
	}
	return nil, nil
}
