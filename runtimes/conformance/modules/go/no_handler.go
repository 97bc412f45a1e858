package module

import "flow"

func Other(c *flow.Context, m any) (any, error) {
	return m, nil
}
