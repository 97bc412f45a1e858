package module

import "flow"

func Run(c *flow.Context, m any) (result any, err error) {
	defer func() {
		if refused, is := recover().(*flow.Error); is {
			result = refused.Type
		}
	}()
	c.Send("nowhere", m)
	return "sent", nil
}
