package module

import (
	"time"

	"flow"
)

func Start(c *flow.Context) (flow.Source, error) {
	pause := time.Duration(c.Config().(map[string]any)["ms"].(int64)) * time.Millisecond
	i := 0
	return func() (any, bool, error) {
		time.Sleep(pause)
		i++
		return i, true, nil
	}, nil
}
