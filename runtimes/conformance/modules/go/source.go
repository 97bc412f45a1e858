package module

import (
	"errors"

	"flow"
)

func Start(c *flow.Context) (flow.Source, error) {
	config := c.Config().(map[string]any)
	i := c.Get("i", 0).(int64)
	return func() (any, bool, error) {
		if i < config["n"].(int64) {
			i++
			c.Set("i", i)
			return i, true, nil
		}
		c.Set("ended", true)
		if config["fail"] == true {
			return nil, false, errors.New("the source fails at its end")
		}
		return nil, false, nil
	}, nil
}

func Stop(c *flow.Context) error { return c.Set("stopped", true) }
