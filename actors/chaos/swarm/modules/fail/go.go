package module

import (
	"errors"
	"flow"
)

func Run(c *flow.Context, x any) (any, error) {
	m := x.(map[string]any)
	g := c.Config().(map[string]any)
	c.Set("seen", c.Get("seen", 0).(int64)+1)
	if m["value"].(int64)%g["divisor"].(int64) == 0 {
		return nil, errors.New("no")
	}
	m["path"] = m["path"].(string) + "/" + g["id"].(string)
	m["versions"] = m["versions"].(string) + g["version"].(string)
	return m, nil
}
