package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	count := c.Get("count", 0).(int64) + 1
	c.Set("count", count)
	return []any{m.(map[string]any)["n"], 1001, count}, nil
}
