package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	message := m.(map[string]any)
	count := c.Get("count", 0).(int64) + 1
	total := c.Get("total", 0).(int64) + message["magnitude"].(int64)
	c.Set("count", count)
	c.Set("total", total)
	message["trail"] = append(message["trail"].([]any), []any{count, total})
	return message, nil
}
