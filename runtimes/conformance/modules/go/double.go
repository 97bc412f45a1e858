package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	return m.(int64) * 2, nil
}
