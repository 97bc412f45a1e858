package module

import (
	"strings"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	message := m.(map[string]any)
	c.Set(message["key"].(string), strings.Repeat("x", int(message["bytes"].(int64))))
	return message["key"], nil
}
