package module

import (
	"errors"

	"flow"
)

func Start(c *flow.Context) (flow.Source, error) {
	config := c.Config().(map[string]any)
	starts := c.Get("starts", 0).(int64) + 1
	c.Set("starts", starts)
	c.Send("notes", starts)
	for _, fails := range config["startFails"].([]any) {
		if fails == starts {
			return nil, errors.New("no start")
		}
	}
	i := c.Get("i", 0).(int64)
	return func() (any, bool, error) {
		if i >= config["n"].(int64) {
			return nil, false, nil
		}
		i++
		c.Set("half", i)
		if i == config["at"] && starts <= config["times"].(int64) {
			c.Set("lost", true)
			panic("no luck") // HERE
		}
		c.Set("i", i)
		return i, true, nil
	}, nil
}
