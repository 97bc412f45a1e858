package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	c.Set("kept", m)
	list := m.(map[string]any)["list"].([]any)
	list[0] = "after set"
	got := c.Get("kept").(map[string]any)
	got["list"].([]any)[0] = "after get"
	got["more"] = true
	return c.Get("kept"), nil
}
