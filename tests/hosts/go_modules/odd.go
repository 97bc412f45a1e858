package module

import (
	"encoding/json"
	"math"
	"math/big"
	"sync"
	"time"

	"flow"
)

type stamp struct{ time.Time }

type own struct{ time.Time }

func (o own) MarshalJSON() ([]byte, error) { return []byte(`"my own"`), nil }

type key struct{ n int }

func (k key) MarshalText() ([]byte, error) { return []byte("same"), nil }

type inner struct {
	A int `json:"a"`
	B int `json:"b"`
}

type outer struct {
	inner
	A string `json:"a"`
}

type twice struct {
	A int `json:"x"`
	B int `json:"x"`
}

type loop *loop

func endless() any {
	var p loop
	p = &p
	return p
}

func bomb() any {
	value := []any{}
	for i := 0; i < 60; i++ {
		value = []any{value, map[string]any{"a": value}}
	}
	return value
}

type money struct{ cents int }

type number struct {
	N json.Number `json:"n"`
}

var (
	epoch = time.Unix(0, 0).UTC()
	wide  = new(big.Int).Lsh(big.NewInt(1), 70)
	odd   = map[string]any{
		"time":         map[string]any{"when": []any{epoch}},
		"time pointer": &epoch,
		"time field":   struct{ At time.Time }{epoch},
		"time inside":  stamp{epoch},
		"time key":     map[time.Time]int{epoch: 1},
		"same keys":    map[key]int{{1}: 1, {2}: 2},
		"two fields":   twice{1, 2},
		"hidden":       map[string]any{"m": money{1}},
		"mutex":        &sync.Mutex{},
		"wide":         []any{wide},
		"wide number":  json.Number("1180591620717411303424"),
		"bad number":   number{"x"},
		"nan":          map[string][]float64{"a": {1, math.NaN()}},
		"sent as text": own{epoch},
		"big":          big.NewInt(5),
		"outer":        outer{inner{1, 2}, "o"},
		"float32":      []float32{0.1, 0.5, 16777216},
		"number":       number{"12"},
		"no number":    number{},
		"real":         json.Number("1e3"),
		"long text":    json.RawMessage(`"1180591620717411303424\\"`),
		"empty":        struct{}{},
	}
)

func Run(c *flow.Context, m string) (any, error) {
	switch m {
	case "bomb", "typed bomb":
		if m == "typed bomb" {
			return struct{ B []any }{[]any{bomb()}}, nil
		}
		return bomb(), nil
	case "kept bomb":
		return nil, c.Set("b", bomb())
	case "endless":
		return endless(), nil
	}
	return odd[m], nil
}
