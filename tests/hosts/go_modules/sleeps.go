package module

import (
	"errors"
	"time"

	"flow"
)

type task struct {
	MS  int  `json:"ms"`
	Bad bool `json:"bad"`
	Set bool `json:"set"`
}

func Run(c *flow.Context, m task) (int, error) {
	time.Sleep(time.Duration(m.MS) * time.Millisecond)
	if m.Set {
		c.Set("n", 1)
	}
	if m.Bad && !c.Redelivered() {
		return 0, errors.New("no bad messages")
	}
	c.Send("out", c.MessageID())
	return m.MS, nil
}
