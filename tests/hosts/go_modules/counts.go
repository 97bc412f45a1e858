package module

import (
	"time"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	n, err := flow.Get(c, "n", 0)
	pause, _ := m.(int64)
	time.Sleep(time.Duration(pause) * time.Millisecond)
	c.Set("n", n+1)
	return n + 1, err
}
