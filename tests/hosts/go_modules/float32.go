package module

import "flow"

type reading struct {
	Value float32 `json:"value"`
	Also  *int    `json:"also"`
}

func Run(c *flow.Context, m reading) (any, error) {
	return map[string]any{"value": m.Value, "null": m.Also == nil}, nil
}
