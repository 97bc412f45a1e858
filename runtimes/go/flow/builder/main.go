// Command builder compiles modules with the host into one program: runtimes/go/build.py runs it. It reads one JSON object
// from stdin and leaves `host`, and the sources it was made of, in the working directory (docs/decisions/004).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type request struct {
	Environment string
	Units       []unit
}

// unit is a module's text.
type unit struct {
	Unit  string            `json:"unit"`
	Name  string            `json:"name"`
	Code  string            `json:"code"`
	Files map[string]string `json:"files"`
}

// problem is why a unit cannot be compiled: the ERROR object of PROTOCOL.md, section 4, in the user's file.
type problem struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fail(fmt.Errorf("the request: %w", err))
	}
	problems, err := build(asked)
	if err != nil {
		fail(err)
	}
	if len(problems) == 0 {
		return
	}
	type entry struct {
		Unit  string  `json:"unit"`
		Error problem `json:"error"`
	}
	var errors []entry
	for _, each := range asked.Units {
		if found, is := problems[each.Unit]; is {
			errors = append(errors, entry{each.Unit, found})
			fmt.Fprintf(os.Stderr, "%s:%d:%d: %s\n", found.File, found.Line, found.Column, found.Message)
		}
	}
	text, err := json.Marshal(map[string]any{"errors": errors})
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
	os.Exit(1)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// build writes the sources and compiles them. The problems are those of units.
func build(asked request) (map[string]problem, error) {
	problems := map[string]problem{}
	var mains []string
	for _, each := range asked.Units {
		line, found := inspect(each)
		if found != nil {
			problems[each.Unit] = *found
			continue
		}
		mains = append(mains, line)
		if err := write(each); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return problems, nil // a compiler's messages about the others come when these are right
	}
	if err := writeMain(asked, mains); err != nil {
		return nil, err
	}
	return compile(asked)
}

func folderOf(each unit) string { return filepath.Join("src", "units", each.Unit) }

// write leaves a unit's files under their own names, and its code under one that means nothing to the go command; a line
// directive gives it its name back.
func write(each unit) error {
	folder := folderOf(each)
	files := map[string]string{each.Unit + ".go": "//line " + fileName(each) + ":1:1\n" + withPlaces(fileName(each), textOf(each))}
	for name, text := range each.Files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if strings.HasSuffix(name, ".go") && !strings.Contains(name, "/") {
			text = withPlaces(name, text)
		}
		files[name] = text
	}
	for name, text := range files {
		if filepath.IsAbs(name) || strings.HasPrefix(filepath.Clean(name), "..") {
			return fmt.Errorf("%s: the file %q is outside of the module's folder", each.Name, name)
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// textOf is the code without a byte order mark, which only the first bytes of a file may be.
func textOf(each unit) string { return strings.TrimPrefix(each.Code, "\ufeff") }

func fileName(each unit) string {
	if strings.HasSuffix(each.Name, ".go") {
		return each.Name
	}
	return each.Name + ".go"
}

// mainStart is the line of the first unit in main.go, one line each.
const mainStart = 4

func writeMain(asked request, mains []string) error {
	var text strings.Builder
	text.WriteString("package main\nimport \"flow\"\nfunc main() { flow.Serve(map[string]flow.Unit{\n")
	for _, line := range mains {
		text.WriteString(line + "\n")
	}
	text.WriteString("}) }\n")
	source := text.String()
	for _, each := range asked.Units { // imports stand on one line, so that the units' lines are known
		source = strings.Replace(source, "import \"flow\"", "import \"flow\"; import "+each.Unit+" \"host/units/"+each.Unit+"\"", 1)
	}
	module, err := os.ReadFile(filepath.Join(asked.Environment, "go.mod"))
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(asked.Environment, "go.sum"))
	if err != nil {
		return err
	}
	library := strconv.Quote(filepath.Join(asked.Environment, "flow"))
	for name, text := range map[string]string{
		"main.go": source,
		"go.mod":  string(module) + "\nrequire flow v0.0.0\nreplace flow => " + library + "\n",
		"go.sum":  string(sums),
	} {
		if err := os.MkdirAll("src", 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join("src", name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}
