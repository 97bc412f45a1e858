package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	message := m.(map[string]any)
	message["marks"] = append(message["marks"].([]any), c.Config())
	message["last"] = c.Config()
	return message, nil
}
