package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	c.Send("out", m)
	message := m.(map[string]any)
	message["marks"] = append(message["marks"].([]any), "after send")
	return message, nil
}
