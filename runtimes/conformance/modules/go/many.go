package module

import "flow"

func Run(c *flow.Context, m any) error {
	for i := int64(0); i < m.(int64); i++ {
		if i%3 == 2 {
			c.Send("b", i)
		} else {
			c.Send("out", i)
		}
	}
	return nil
}
