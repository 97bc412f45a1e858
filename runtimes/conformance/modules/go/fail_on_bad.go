package module

import "flow"

func Run(c *flow.Context, m any) error {
	c.Set("n", c.Get("n", 0).(int64)+1)
	c.Send("out", m)
	if m == "bad" {
		panic("no bad messages") // HERE
	}
	return nil
}
