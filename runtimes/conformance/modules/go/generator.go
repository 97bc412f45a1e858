package module

import (
	"errors"

	"flow"
)

func Run(c *flow.Context, m any) error {
	c.Send("out", []any{m, 0})
	c.Send("side", m)
	if m == "bad" {
		return errors.New("no bad messages")
	}
	c.Send("out", []any{m, 1})
	c.Send("out", []any{m, 2})
	return nil
}
