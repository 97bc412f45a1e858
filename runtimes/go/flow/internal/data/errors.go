// Package data is the data contract (docs/data-contract.md): Go values to JSON text and back, exactly or not at all.
// It knows no frames and no turns.
package data

import (
	"fmt"
	"strconv"
	"strings"
)

// Error is the DataError of the contract.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

var tooDeep = &Error{fmt.Sprintf("a value nested deeper than %d", maxDepth)}

// refusal is the Error of what cannot be sent.
type refusal struct {
	what, instead string
	place         string // in the value: ".items[3].price"
}

func (r *refusal) Error() string {
	text := r.what
	if r.place != "" {
		text += " in " + strings.TrimPrefix(r.place, ".")
	}
	text += " cannot be sent"
	if r.instead != "" {
		text += ": send " + r.instead
	}
	return text
}

func refuse(format string, arguments ...any) error {
	return &refusal{what: fmt.Sprintf(format, arguments...)}
}

// within adds where in an outer value it is to the error of an inner one.
func within(err error, place string) error {
	if refused, is := err.(*refusal); is && len(place)+len(refused.place) < 200 {
		refused.place = place + refused.place
	}
	return err
}

func inField(err error, key string) error { return within(err, "."+key) }

func inItem(err error, index int) error { return within(err, "["+strconv.Itoa(index)+"]") }

// finished is an error as others know it.
func finished(err error) error {
	if refused, is := err.(*refusal); is {
		return &Error{refused.Error()}
	}
	return err
}
