package flow

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"flow/internal/data"
)

// Error is an error with a type of its own, which the ERROR that the runner sees names. The host makes those of the types
// DataError, ContextError, PortError, CreditError and TurnTooLarge; a module may make others.
type Error struct{ Type, Text string }

func (e *Error) Error() string { return e.Text }

func newError(kind, format string, arguments ...any) *Error {
	return &Error{kind, fmt.Sprintf(format, arguments...)}
}

// dataError gives an error of the data package its name.
func dataError(err error) error {
	if own, ok := err.(*data.Error); ok {
		return &Error{"DataError", own.Text}
	}
	return err
}

// panicked is a panic of user code as an error.
type panicked struct {
	kind, text string
	frames     []runtime.Frame // the user's, innermost first
}

func (p *panicked) Error() string { return p.text }

// isUnit finds the packages of modules in the names of functions: main's folder units/ has one for each.
const unitPrefix = "/units/u_"

// caught makes an error of what recover() gave, in the deferred function of the call that panicked.
func caught(value any) error {
	result := &panicked{kind: "Panic", text: fmt.Sprint(value)}
	if own, ok := value.(error); ok {
		result.kind = typeOf(own, "Panic")
	}
	var callers [64]uintptr
	found := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		each, more := found.Next()
		if strings.Contains(each.Function, unitPrefix) {
			result.frames = append(result.frames, each)
		}
		if !more {
			return result
		}
	}
}

// typeOf is the name of an error's type, or `plain` when that says nothing.
func typeOf(err error, plain string) string {
	var own *Error
	if errors.As(err, &own) && own.Type != "" {
		return own.Type
	}
	if _, is := err.(runtime.Error); is {
		return plain
	}
	kind := reflect.TypeOf(err)
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if name := kind.Name(); name != "" && name != "errorString" && name != "wrapError" && name != "joinError" {
		return name
	}
	return plain
}

// describe is the ERROR object of PROTOCOL.md, section 4.
func describe(err error) map[string]any {
	panicked, ok := err.(*panicked)
	if !ok {
		return map[string]any{"type": typeOf(err, "Error"), "message": clean(err.Error())}
	}
	report := map[string]any{"type": panicked.kind, "message": clean(panicked.text)}
	if len(panicked.frames) > 0 {
		var stack strings.Builder
		for _, each := range panicked.frames {
			fmt.Fprintf(&stack, "%s:%d %s\n", fileOf(each), each.Line, functionOf(each))
		}
		report["file"], report["line"] = clean(fileOf(panicked.frames[0])), panicked.frames[0].Line
		report["stack"] = clean(stack.String())
	}
	return report
}

// fileOf is the user's name of a file: what comes behind units/u_0123456789abcdef/.
func fileOf(each runtime.Frame) string {
	if at := strings.Index(each.File, unitPrefix); at >= 0 {
		_, file, _ := strings.Cut(each.File[at+len(unitPrefix):], "/")
		return file
	}
	return each.File
}

func functionOf(each runtime.Frame) string {
	return each.Function[strings.LastIndexByte(each.Function, '/')+1+len("u_0123456789abcdef."):]
}

// clean makes any text one that JSON can carry.
func clean(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
