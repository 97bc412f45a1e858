package module

import (
	"strings"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	return strings.Repeat("x", int(m.(int64))), nil
}
