package module

import (
	"fmt"

	"flow"
)

func note(c *flow.Context, event string) error {
	c.Set("events", append(c.Get("events", []any{}).([]any), event))
	c.Send("out", event)
	if c.Config() == event {
		return fmt.Errorf("%s fails", event)
	}
	return nil
}

func Start(c *flow.Context) error { return note(c, "start") }

func Stop(c *flow.Context) error { return note(c, "stop") }

func Migrate(c *flow.Context, from int) error { return note(c, fmt.Sprint("migrate ", from)) }

func Run(c *flow.Context, m any) (any, error) {
	return c.Get("events", []any{}), nil
}
