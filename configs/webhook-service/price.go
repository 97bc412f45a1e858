// What an order costs, in cents.
package module

import "flow"

var prices = map[string]int64{"apple": 50, "melon": 340, "pear": 80}

func Run(c *flow.Context, message any) (any, error) {
	order := message.(map[string]any)
	cents := int64(0)
	for _, one := range order["items"].([]any) {
		item := one.(map[string]any)
		cents += prices[item["sku"].(string)] * item["count"].(int64)
	}
	order["cents"] = cents
	return order, nil
}
