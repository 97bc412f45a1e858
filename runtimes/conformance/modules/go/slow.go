package module

import (
	"time"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	end := time.Now().Add(time.Duration(c.Config().(map[string]any)["ms"].(int64)) * time.Millisecond)
	for time.Now().Before(end) {
	}
	return m, nil
}
