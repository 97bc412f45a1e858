package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/scanner"
	"go/token"
	"sort"
	"strconv"
	"strings"
)

const shapes = `Run must be func(c *flow.Context, m any) (any, error), with types of your own for m and the result, or without result`

// inspect parses a unit and finds its functions: the answer is its line of main.go, or what is wrong with it.
func inspect(each unit) (string, *problem) {
	positions := token.NewFileSet()
	functions := map[string]*ast.FuncDecl{}
	flow := map[*ast.FuncDecl]string{} // how the function's file calls the package flow
	for _, source := range sourcesOf(each) {
		file, err := parser.ParseFile(positions, source[0], source[1], parser.SkipObjectResolution)
		if err != nil {
			return "", syntaxProblem(err)
		}
		if file.Name.Name != "module" {
			return "", at(positions, file.Name.Pos(), "the package must be called module, not %s", file.Name.Name)
		}
		for _, imported := range file.Imports {
			if imported.Path.Value == `"C"` {
				return "", at(positions, imported.Pos(), "cgo is off: a module cannot import C")
			}
		}
		for _, declared := range file.Decls {
			if function, is := declared.(*ast.FuncDecl); is && function.Recv == nil {
				functions[function.Name.Name] = function
				flow[function] = nameOfFlow(file)
			}
		}
	}
	if functions["Run"] == nil && functions["Start"] == nil {
		return "", &problem{Type: "CompileError", Message: fileName(each) + " has neither Run nor Start", File: fileName(each)}
	}
	var fields []string
	for _, name := range []string{"Run", "Start", "Stop", "Migrate"} {
		function := functions[name]
		if function == nil {
			continue
		}
		adapter, message := adapt(name, shapeOf(function, flow[function]))
		if message != "" {
			return "", at(positions, function.Pos(), "%s", message)
		}
		fields = append(fields, fmt.Sprintf(adapter, each.Unit))
	}
	return fmt.Sprintf("%q: {%s},", each.Unit, strings.Join(fields, ", ")), nil
}

// sourcesOf are name and text of all Go files, the module's own first.
func sourcesOf(each unit) [][2]string {
	sources := [][2]string{{fileName(each), textOf(each)}}
	var names []string
	for name := range each.Files {
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		sources = append(sources, [2]string{name, each.Files[name]})
	}
	return sources
}

func syntaxProblem(err error) *problem {
	if all, is := err.(scanner.ErrorList); is && len(all) > 0 {
		first := all[0]
		return &problem{"SyntaxError", first.Msg, first.Pos.Filename, first.Pos.Line, first.Pos.Column}
	}
	return &problem{Type: "SyntaxError", Message: err.Error()}
}

func at(positions *token.FileSet, place token.Pos, format string, arguments ...any) *problem {
	found := positions.Position(place)
	return &problem{"CompileError", fmt.Sprintf(format, arguments...), found.Filename, found.Line, found.Column}
}

func nameOfFlow(file *ast.File) string {
	for _, imported := range file.Imports {
		if path, _ := strconv.Unquote(imported.Path.Value); path == "flow" {
			if imported.Name == nil {
				return "flow."
			}
			if imported.Name.Name == "." {
				return ""
			}
			return imported.Name.Name + "."
		}
	}
	return "flow."
}

// shape is what a function takes and gives, as the user wrote it.
type shape struct {
	flow            string
	isGeneric       bool
	inputs, outputs []string
}

func shapeOf(function *ast.FuncDecl, flow string) shape {
	return shape{flow, function.Type.TypeParams != nil, typesOf(function.Type.Params), typesOf(function.Type.Results)}
}

func typesOf(fields *ast.FieldList) []string {
	var all []string
	if fields == nil {
		return nil
	}
	for _, field := range fields.List {
		for i := 0; i < len(field.Names) || i == 0; i++ {
			all = append(all, textOfType(field.Type))
		}
	}
	return all
}

func textOfType(expression ast.Expr) string {
	var text strings.Builder
	if err := printer.Fprint(&text, token.NewFileSet(), expression); err != nil {
		return err.Error()
	}
	return text.String()
}

func (s shape) takes(more ...string) bool {
	wanted := append([]string{"*" + s.flow + "Context"}, more...)
	return !s.isGeneric && strings.Join(s.inputs, "|") == strings.Join(wanted, "|")
}

func (s shape) gives(wanted ...string) bool {
	return strings.Join(s.outputs, "|") == strings.Join(wanted, "|")
}

// adapt is the field of flow.Unit for a function of this shape, or what is wrong with it.
func adapt(name string, s shape) (field, message string) {
	switch name {
	case "Run":
		takes := len(s.inputs) == 2 && s.takes(s.inputs[1]) && !strings.HasPrefix(s.inputs[1], "...")
		if takes && s.gives("error") {
			return "Run: flow.Sink(%s.Run)", ""
		}
		if takes && len(s.outputs) == 2 && s.outputs[1] == "error" {
			return "Run: flow.Handler(%s.Run)", ""
		}
		return "", shapes
	case "Start":
		if s.takes() && s.gives("error") {
			return "Start: flow.Hook(%s.Start)", ""
		}
		if s.takes() && s.gives(s.flow+"Source", "error") {
			return "Start: %s.Start", ""
		}
		return "", "Start must be func(c *flow.Context) error, or func(c *flow.Context) (flow.Source, error) for a source"
	case "Stop":
		if s.takes() && s.gives("error") {
			return "Stop: %s.Stop", ""
		}
		return "", "Stop must be func(c *flow.Context) error"
	default:
		if s.takes("int") && s.gives("error") {
			return "Migrate: %s.Migrate", ""
		}
		return "", "Migrate must be func(c *flow.Context, from int) error"
	}
}
