// Says when the processor's load jumps from one reading to the next; most readings make no message.
package module

import (
	"flow"
	"math"
)

// Reading is the part of a message that counts here.
type Reading struct {
	N   float64 `json:"n"`
	CPU float64 `json:"cpu_percent"`
}

// Swing is what leaves.
type Swing struct {
	N      float64 `json:"n"`
	Points float64 `json:"points"`
}

// Run compares with the reading before, which the context keeps.
func Run(c *flow.Context, m Reading) (*Swing, error) {
	before, known := c.Get("before", nil).(float64)
	c.Set("before", m.CPU)
	points := m.CPU - before
	if !known || math.Abs(points) < 10 {
		return nil, nil
	}
	return &Swing{m.N, points}, nil
}
