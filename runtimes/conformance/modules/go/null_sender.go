package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	c.Send("out", flow.Null)
	return flow.Null, nil
}
