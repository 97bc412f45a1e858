package module

import (
	"time"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	go func() {
		time.Sleep(time.Millisecond)
		c.Send("late", m)
	}()
	return "at once", nil
}
