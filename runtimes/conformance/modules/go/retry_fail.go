package module

import (
	"errors"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	c.Set("n", c.Get("n", 0).(int64)+1)
	if m == "bad" && !c.Redelivered() {
		return nil, errors.New("not yet")
	}
	return []any{m, c.Get("n")}, nil
}
