package flow

import (
	"sort"
	"strconv"
	"sync"

	"flow/internal/data"
)

// Null is a JSON null at the top level of a message: nil means that there is no message.
var Null = data.Null{}

// Context is what a handler call sees of its module and message. What it sends and changes becomes visible outside when
// the handler has ended well, and never when it fails.
//
// Inside a turn, Send, Set and Delete return nil, or end the turn by a panic with an *Error. After its end (in a
// goroutine that the handler started) they are turns of their own, and return the *Error.
type Context struct {
	slot        *slot
	mutex       sync.Mutex
	isLive      bool // the handler runs
	isOver      bool // and will not again
	isQuiet     bool // a hook, or the end of a source: no handler call
	redelivered bool
	port, wire  string
	number      uint64
	id          string
	headers     map[string]string
	parent      *Context // whose output the message is, when the wire is fused
	index       int      // of that output
	message     any
	json        []byte  // the message, when the wire is fused
	arena       *[]byte // holds the JSON of the turn's outputs
	outputs     []output
	changes     []change
	count       int // outputs so far, over all ports
	sent        int
	unwired     int
	bytes       int
	done        chan struct{}
	one         [1]output // most calls have one: no allocation of its own
}

type change struct {
	key   string
	entry *entry
}

// Get is the value of a key, containers as copies; else the given value, or nil.
func (c *Context) Get(key string, otherwise ...any) any {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if found := c.look(key); found != nil {
		return found.value()
	}
	for _, value := range otherwise {
		if number, is := value.(int); is {
			return int64(number) // as it will be once it was set
		}
		return value
	}
	return nil
}

// Get is the value of a key as a T; without one it is the given value.
func Get[T any](c *Context, key string, otherwise T) (T, error) {
	c.mutex.Lock()
	found := c.look(key)
	c.mutex.Unlock()
	if found == nil {
		return otherwise, nil
	}
	var value T
	err := data.Assign(&value, found.value())
	return value, dataError(err)
}

func (c *Context) look(key string) *entry {
	for i := len(c.changes) - 1; i >= 0; i-- {
		if c.changes[i].key == key {
			return c.changes[i].entry
		}
	}
	return c.slot.store.get(key)
}

// Keys are all keys, in order.
func (c *Context) Keys() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	is := map[string]bool{}
	for _, key := range c.slot.store.keys() {
		is[key] = true
	}
	for _, each := range c.changes {
		is[each.key] = each.entry != nil
	}
	keys := make([]string, 0, len(is))
	for key, there := range is {
		if there {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	return keys
}

// Set keeps a value; it is committed with the turn.
func (c *Context) Set(key string, value any) error {
	made, err := newEntry(value)
	if err == nil && len(made.json) > maxValueBytes {
		err = newError("ContextError", "the value of %q has %d bytes, at most %d are allowed", key, len(made.json), maxValueBytes)
	}
	return c.change(key, made, err)
}

// Delete removes a key, if it is there.
func (c *Context) Delete(key string) error { return c.change(key, nil, nil) }

func (c *Context) change(key string, made *entry, err error) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err == nil {
		err = c.checkChange(key, made)
	}
	if err != nil {
		return c.raise(err)
	}
	if made == nil && c.look(key) == nil {
		return nil
	}
	if !c.isLive {
		alone := &produced{context: c.slot.outside("set", 0)}
		alone.context.changes = []change{{key, made}}
		alone.apply()
		c.slot.engine.post(alone)
		return nil
	}
	c.changes = append(c.changes, change{key, made})
	c.bytes += weight(key, made)
	return nil
}

func (c *Context) checkChange(key string, made *entry) error {
	if c.slot.concurrency > 1 {
		return newError("ContextError", "the context of a module with concurrency is read-only")
	}
	if err := data.CheckText(key); err != nil {
		return dataError(err)
	}
	near := c.slot.store.size() + c.bytes + weight(key, made)
	if made != nil && near > maxStoreBytes && c.slot.store.bytesWith(c.changes, key, made) > maxStoreBytes {
		return newError("ContextError", "the context exceeds %d bytes", maxStoreBytes)
	}
	return nil
}

// raise ends the turn, or is the answer to a call outside of any.
func (c *Context) raise(err error) error {
	if c.isLive {
		panic(err)
	}
	return err
}

// Send sends a value from a port, nil is no value. Headers replace the inherited ones.
//
// Outside any turn it waits until the runner wants a message; CreditError says that too many wait already.
func (c *Context) Send(port string, value any, headers ...map[string]string) error {
	if data.IsNil(value) {
		return nil
	}
	c.mutex.Lock()
	if c.isLive {
		defer c.mutex.Unlock()
		if err := c.output(port, value, headers); err != nil {
			panic(err)
		}
		return nil
	}
	c.mutex.Unlock()
	return c.slot.sendOutside(port, value, headers)
}

// Config is the module's config, containers as copies.
func (c *Context) Config() any { return c.slot.config.value() }

// Headers are those of the message, as a copy.
func (c *Context) Headers() map[string]string {
	result := copyHeaders(c.headers)
	if result == nil {
		result = map[string]string{}
	}
	return result
}

// Port is the in-port that the message came in by.
func (c *Context) Port() string { return c.port }

// MessageID is the id of the message; a redelivery has the same.
func (c *Context) MessageID() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.messageID()
}

func (c *Context) messageID() string {
	if c.id == "" {
		if c.parent != nil {
			c.id = c.parent.MessageID() + "/" + c.parent.slot.module + "." + strconv.Itoa(c.index)
		} else {
			c.id = c.wire + "#" + strconv.FormatUint(c.number, 10)
		}
	}
	return c.id
}

// Redelivered says whether a host may have seen the message before.
func (c *Context) Redelivered() bool { return c.redelivered }

// ModuleID is the module's name in its flow.
func (c *Context) ModuleID() string { return c.slot.module }

// FlowID is the flow's name.
func (c *Context) FlowID() string { return c.slot.flow }

// Log writes a line to the runner's log; the levels are debug, info, warning and error.
func (c *Context) Log(level, text string) { c.slot.engine.log(c.slot.number, level, text) }

// Done is closed when the call has ended, or when the source is to end that Start has returned: what waits for the
// outside world should wait for this too.
func (c *Context) Done() <-chan struct{} {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.isOver {
			close(c.done)
		}
	}
	return c.done
}

// begin and pause say whether what is done belongs to the running call.
func (c *Context) begin() {
	c.mutex.Lock()
	c.isLive = true
	c.mutex.Unlock()
}

func (c *Context) pause() {
	c.mutex.Lock()
	c.isLive = false
	c.mutex.Unlock()
}

// end is for good.
func (c *Context) end() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.isLive = false
	c.finish()
}

// finish closes what Done gives, under the mutex.
func (c *Context) finish() {
	if c.done != nil && !c.isOver {
		close(c.done)
	}
	c.isOver = true
}
