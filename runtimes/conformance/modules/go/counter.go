package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	n := c.Get("n", 0).(int64) + 1
	c.Set("n", n)
	return n, nil
}
