package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"sort"
	"strings"
)

// entries are the functions that the host calls: what they return as an error goes to nobody else.
var entries = map[string]bool{"Run": true, "Start": true, "Stop": true, "Migrate": true}

// insertion is text to be put into a source.
type insertion struct {
	at   int
	text string
}

// withPlaces wraps each error that an entry returns in a call that adds the line: an error in Go knows none. Lines and
// columns of everything else stay what they are.
func withPlaces(name, text string) string {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, text, parser.SkipObjectResolution)
	if err != nil {
		return text // inspect has said so
	}
	var all []insertion
	at := func(place token.Pos, text string) {
		found := positions.PositionFor(place, false)
		all = append(all, insertion{found.Offset, fmt.Sprintf("%s/*line %s:%d:%d*/", text, name, found.Line, found.Column)})
	}
	for _, declared := range file.Decls {
		if function, is := declared.(*ast.FuncDecl); is && function.Recv == nil && function.Body != nil && entries[function.Name.Name] {
			for _, found := range errorsIn(function.Body, function.Type, function.Name.Name == "Start") {
				at(found.value.Pos(), "flow_places."+found.wrapper+"(")
				at(found.value.End(), ")")
			}
		}
	}
	if len(all) == 0 {
		return text
	}
	at(file.Name.End(), `; import flow_places "flow"`)
	sort.SliceStable(all, func(i, j int) bool { return all[i].at < all[j].at })
	var made strings.Builder
	done := 0
	for _, each := range all {
		made.WriteString(text[done:each.at])
		made.WriteString(each.text)
		done = each.at
	}
	return made.String() + text[done:]
}

// returned is an expression that is an error, or a call that gives one as its last value.
type returned struct {
	value   ast.Expr
	wrapper string
}

var wrappers = map[int]string{2: "At2", 3: "At3"} // of a call with so many values

// errorsIn is what a function returns as its error, with `inner` that of the functions in it, too.
func errorsIn(body *ast.BlockStmt, kind *ast.FuncType, inner bool) []returned {
	results := typesOf(kind.Results)
	isError := len(results) > 0 && results[len(results)-1] == "error"
	var found []returned
	ast.Inspect(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			if inner {
				found = append(found, errorsIn(node.Body, node.Type, inner)...)
			}
			return false
		case *ast.ReturnStmt:
			if !isError || len(node.Results) == 0 { // named results
				return true
			}
			last := node.Results[len(node.Results)-1]
			name, is := last.(*ast.Ident)
			switch {
			case len(node.Results) == len(results) && !(is && name.Name == "nil"):
				found = append(found, returned{last, "At"})
			case len(node.Results) == 1 && wrappers[len(results)] != "":
				found = append(found, returned{last, wrappers[len(results)]})
			}
			return true
		}
		return true
	})
	return found
}
