package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	c.Set("n", c.Get("n", 0).(int64)+1)
	return m, nil
}
