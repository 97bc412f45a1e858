package module

import (
	"flow"
	"time"
)

func Start(c *flow.Context) (flow.Source, error) {
	g := c.Config().(map[string]any)
	i := c.Get("i", 0).(int64)
	return func() (any, bool, error) {
		if i >= g["readings"].(int64) {
			return nil, false, nil
		}
		i++
		c.Set("i", i)
		if i%5 == 0 {
			time.Sleep(time.Duration(g["pause_ms"].(int64)) * time.Millisecond)
		}
		return map[string]any{"origin": g["id"], "number": i, "value": i * 7919 % 1000003, "path": g["id"], "loops": i % 3, "versions": g["version"]}, true, nil
	}, nil
}
