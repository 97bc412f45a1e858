package module

import (
	"math"
	"time"

	"flow"
)

var values = map[string]any{
	"nan":            math.NaN(),
	"infinity":       math.Inf(1),
	"minus infinity": math.Inf(-1),
	"nested":         map[string]any{"a": []any{1, math.NaN()}},
	"surrogate":      "a\xed\xa0\x80b",
	"surrogate key":  map[string]any{"\xed\xb0\x80": 1},
	"date":           map[string]any{"at": time.Unix(0, 0)},
	"function":       map[string]any{"f": math.Abs},
}

func Run(c *flow.Context, m any) (any, error) {
	return values[m.(string)], nil
}
