package module

import (
	"errors"
	"os"

	"flow"
)

func count(c *flow.Context, key string) error { return c.Set(key, c.Get(key, 0).(int64)+1) }

func config(c *flow.Context, key string) any { return c.Config().(map[string]any)[key] }

func Run(c *flow.Context, m []any) (any, error) {
	return append([]any{config(c, "version")}, m...), count(c, "n")
}

func Start(c *flow.Context) error {
	switch config(c, "refuse") {
	case "start":
		return errors.New("refused")
	case "die":
		os.Exit(9)
	}
	return count(c, "starts")
}

// STOP
func Stop(c *flow.Context) error { return count(c, "stops") }
