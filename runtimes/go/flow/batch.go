package flow

import (
	"bytes"

	"flow/internal/data"
)

var (
	separator       = []byte(",\n")
	headerSeparator = []byte(",\n\n")
)

// batch is a DATA frame. A message is decoded when its turn begins: a recall then costs nothing.
type batch struct {
	input   *input
	flags   uint8
	body    []byte
	at      int
	skip    int
	left    int
	number  uint64
	headers []any
	isBegun bool
}

func newBatch(in *input, f frame) *batch {
	return &batch{input: in, flags: f.flags, body: f.body, skip: int(f.skip), left: int(f.count), number: f.first}
}

func (b *batch) begin(d *data.Decoder) {
	b.isBegun = true
	if b.flags&flagHeaders != 0 {
		if middle := bytes.Index(b.body, headerSeparator); middle > 0 {
			headers, _ := data.Decode(b.body[1:middle])
			b.headers, _ = headers.([]any)
			b.body = b.body[middle+len(headerSeparator) : len(b.body)-1]
		}
	}
	if d.Reset(b.body, 0); d.Peek() != '[' {
		b.at = len(b.body)
		return
	}
	d.Take()
	start := d.At()
	for i := 0; i < b.skip; i++ {
		_, err := d.Next()
		if err != nil || d.Peek() != ',' {
			b.at = start
			b.skipBySeparators()
			return
		}
		d.Take()
	}
	b.at = d.At()
}

// skipBySeparators goes over messages that may not be JSON, in a body written as hosts do.
func (b *batch) skipBySeparators() {
	for i := 0; i < b.skip; i++ {
		b.toNext()
	}
}

func (b *batch) toNext() {
	if at := bytes.Index(b.body[b.at:], separator); at >= 0 {
		b.at += at + len(separator)
	} else {
		b.at = len(b.body)
	}
}

// next takes the next message. One that cannot be decoded is an error and disturbs no other.
func (b *batch) next(d *data.Decoder) (message any, headers map[string]string, id string, err error) {
	if !b.isBegun {
		b.begin(d)
	}
	if b.headers != nil && b.skip < len(b.headers) {
		headers, id = headersOf(b.headers[b.skip])
	}
	b.skip++
	b.left--
	b.number++
	d.Reset(b.body, b.at)
	if message, err = d.Next(); err == nil {
		switch d.Peek() {
		case ',':
			d.Take()
			b.at = d.At()
			return message, headers, id, nil
		case ']':
			d.Take()
			if d.Peek(); d.At() == len(b.body) {
				b.at = d.At()
				return message, headers, id, nil
			}
		}
		err = d.Bad("',' or ']'")
	}
	b.toNext()
	return nil, headers, id, dataError(err)
}

// headersOf splits the id off (PROTOCOL.md, section 3): it is not shown as a header.
func headersOf(value any) (map[string]string, string) {
	given, _ := value.(map[string]any)
	var headers map[string]string
	id := ""
	for name, value := range given {
		text, _ := value.(string)
		if name == "id" {
			id = text
			continue
		}
		if headers == nil {
			headers = make(map[string]string, len(given))
		}
		headers[name] = text
	}
	return headers, id
}
