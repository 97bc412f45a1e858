// NAME: numbers the messages that come in.
package module

import "flow"

// Numbered is what leaves by the port `out`.
type Numbered struct {
	Count   int64 `json:"count"`
	Message any   `json:"message"`
}

// Run is called for every message, one at a time.
func Run(c *flow.Context, m any) (Numbered, error) {
	count := c.Get("count", 0).(int64) + 1
	c.Set("count", count)
	return Numbered{count, m}, nil
}
