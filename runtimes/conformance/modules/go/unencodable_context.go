package module

import (
	"math"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	if m == "nan" {
		c.Set("n", math.NaN())
	} else {
		c.Set("n", "a\xed\xa0\x80b")
	}
	return m, nil
}
