package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	go func() {
		<-c.Done()
		c.Log("info", "sends")
		c.Send("out", "late")
	}()
	return "begun", nil
}
