// Package data is the data contract (docs/data-contract.md): Go values to JSON text and back, exactly or not at all.
// It knows no frames and no turns.
package data

import "fmt"

// Error is the DataError of the contract.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

var tooDeep = &Error{fmt.Sprintf("a value nested deeper than %d", maxDepth)}

func refuse(format string, arguments ...any) error {
	return &Error{fmt.Sprintf(format, arguments...) + " cannot be sent"}
}
