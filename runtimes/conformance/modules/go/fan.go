package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	c.Send("a", []any{m, "a"})
	c.Send("b", []any{m, "b"})
	c.Send("a", []any{m, "a again"})
	return []any{m, "out"}, nil
}
