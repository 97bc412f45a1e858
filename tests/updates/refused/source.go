package module

import (
	"errors"
	"os"
	"time"

	"flow"
)

func note(c *flow.Context, key, event string) {
	c.Set(key, c.Get(key, 0).(int64)+1)
	c.Send("notes", []any{c.Config().(map[string]any)["version"], event})
}

func Start(c *flow.Context) (flow.Source, error) {
	config := c.Config().(map[string]any)
	note(c, "starts", "start")
	switch config["refuse"] {
	case "start":
		return nil, errors.New("refused")
	case "die":
		os.Exit(9)
	}
	i := c.Get("i", 0).(int64)
	return func() (any, bool, error) {
		time.Sleep(2 * time.Millisecond)
		i++
		c.Set("i", i)
		return []any{config["version"], i}, true, nil
	}, nil
}

func Migrate(c *flow.Context, from int) error {
	refuse := c.Config().(map[string]any)["refuse"].(string)
	if refuse == "migrate" || c.Get(refuse) != nil {
		return errors.New("refused")
	}
	return nil
}

// STOP
func Stop(c *flow.Context) error {
	note(c, "stops", "stop")
	return nil
}
