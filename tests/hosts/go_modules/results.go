package module

import (
	"encoding/json"
	"math"

	"flow"
)

type node struct{ Next *node }

type inside struct {
	A []int `json:"a"`
}

func Run(c *flow.Context, m string) (any, error) {
	switch m {
	case "int":
		return 7, nil
	case "map":
		return map[string]uint8{"b": 2, "a": 1}, nil
	case "keys":
		return map[int][]float32{3: {0.5}}, nil
	case "nil map":
		var none map[string]any
		return none, nil
	case "nil inside":
		return inside{}, nil
	case "nan":
		return struct{ N float64 }{math.NaN()}, nil
	case "channel":
		return []any{make(chan int)}, nil
	case "invalid":
		return json.RawMessage(`{"a":`), nil
	case "circle":
		circle := &node{}
		circle.Next = circle
		return circle, nil
	default:
		return uint64(math.MaxUint64), nil
	}
}
