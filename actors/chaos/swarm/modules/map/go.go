package module

import "flow"

func Run(c *flow.Context, x any) (any, error) {
	m := x.(map[string]any)
	g := c.Config().(map[string]any)
	m["value"] = (m["value"].(int64)*g["factor"].(int64) + g["offset"].(int64)) % 1000003
	m["path"] = m["path"].(string) + "/" + g["id"].(string)
	m["versions"] = m["versions"].(string) + g["version"].(string)
	if g["counts"].(bool) {
		n := c.Get("n", 0).(int64) + 1
		c.Set("n", n)
		m["count"] = n
	}
	return m, nil
}
