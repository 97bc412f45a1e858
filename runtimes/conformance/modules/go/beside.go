package module

import (
	_ "embed"

	"flow"
)

//go:embed table.json
var table string

//go:embed deep/down/words.txt
var words string

func Run(c *flow.Context, m any) (any, error) { return []any{table, words}, nil }
