package module

import "flow"

var lines = make(chan string, 2)

func Start(c *flow.Context) (flow.Source, error) {
	lines <- "a"
	lines <- "b"
	return func() (any, bool, error) {
		select {
		case line := <-lines:
			return line, true, nil
		case <-c.Done():
			return nil, false, nil
		}
	}, nil
}

func Stop(c *flow.Context) error { return c.Set("closed", true) }
