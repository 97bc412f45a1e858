package flow

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"

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
	cause      error           // if it was one
	frames     []runtime.Frame // the user's, innermost first
}

func (p *panicked) Unwrap() error { return p.cause }

func (p *panicked) Error() string { return p.text }

// placed is an error that a module has returned, with the line where it did.
type placed struct {
	error
	frame runtime.Frame
}

func (p *placed) Unwrap() error { return p.error }

// At, At2 and At3 are for the builder: they add the line of their call to an error.
func At(err error) error { return at(err) }

func At2[A any](a A, err error) (A, error) { return a, at(err) }

func At3[A, B any](a A, b B, err error) (A, B, error) { return a, b, at(err) }

func at(err error) error {
	if err == nil {
		return nil
	}
	var callers [1]uintptr
	runtime.Callers(3, callers[:])
	frame, _ := runtime.CallersFrames(callers[:]).Next()
	return &placed{err, frame}
}

// unitPrefix finds the packages of modules in the names of functions and files: main has one for each in units/.
const unitPrefix = "/units/u_"

// caught makes an error of what recover() gave, in the deferred function of the call that panicked.
func caught(value any) error {
	result := &panicked{kind: "Panic", text: fmt.Sprint(value)}
	if own, ok := value.(error); ok {
		result.kind, result.cause = typeOf(own, "Panic"), own
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
	if at, is := err.(*placed); is {
		err = at.error
	}
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
	kind, frames := typeOf(err, "Error"), []runtime.Frame(nil)
	switch own := err.(type) {
	case *panicked:
		kind, frames = own.kind, own.frames
	case *placed:
		frames = []runtime.Frame{own.frame}
	}
	report := map[string]any{"type": kind, "message": clean(err.Error() + hintOf(err))}
	if len(frames) > 0 {
		var stack strings.Builder
		for _, each := range frames {
			fmt.Fprintf(&stack, "%s:%d %s\n", fileOf(each), each.Line, functionOf(each))
		}
		report["file"], report["line"] = clean(fileOf(frames[0])), frames[0].Line
		report["stack"] = clean(stack.String())
	}
	return report
}

// hintOf is what to do about an error that many meet.
func hintOf(err error) string {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return ""
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return ": a module writes only in its temporary folder, and where `limits: {writable: [...]}` says"
	}
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(path.Path) {
		return ": a relative path begins in the temporary folder: for a file of yours give the whole path, or name it in `files:` and embed it with //go:embed"
	}
	return ""
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

const maxTextBytes = 64 << 10

// clean makes any text one that JSON can carry, of bounded length.
func clean(text string) string {
	if len(text) > maxTextBytes {
		text = text[:maxTextBytes] + "..."
	}
	return strings.ToValidUTF8(text, "\ufffd")
}
