package flow

import (
	"strconv"
	"sync"
	"sync/atomic"
)

// slot is a loaded module: its code, wiring, context, and what waits for it. It does not know how turns are run.
type slot struct {
	engine       *engine
	number       uint16
	flow, module string
	config       *entry
	ports        map[string]bool // declared out-ports, nil when none are declared
	unwiredPorts unwiredPorts
	concurrency  int
	retry        bool
	maxTurnBytes int
	unit         Unit
	store        store
	ins          map[uint16]*input
	outs         atomic.Pointer[map[string]*out] // sources read it, too
	queue        []any                           // *batch or *hookCall
	overlaps     []*overlapped                   // in input order, with concurrency
	parked       int                             // times that it is missing in the engine's list of ready slots
	isSlow       bool                            // its last turn took long
	isTarget     bool                            // of a fused wire
	isHeld       bool                            // a message failed and is to be tried again: input is discarded until PAUSE
	source       *source
	dirty        map[string]*entry
	counts
	isTouched bool // by the transaction

	// Under engine.mutex:
	credit  int
	wanted  *sync.Cond // credit came, or room in the inbox, or the end
	waiting int        // sends outside any turn that wait for credit
	alone   int        // sends outside any turn so far, for their ids
}

type counts struct {
	consumed, handled, failed, pulled, sent, unwired, fused int
	busy                                                    int64 // ns
}

// unwiredPorts are those without a wire that the runner knows of. Goroutines may send, too.
type unwiredPorts struct {
	mutex sync.Mutex
	names map[string]bool
}

// sayUnwired tells the runner once that something was sent to a port without a wire; out, where results go, is nobody's mistake.
func (s *slot) sayUnwired(port string) {
	if port != "out" && s.unwiredPorts.add(port) {
		s.engine.log(s.number, "unwired", port)
	}
}

// add says whether the port is new and is to be named.
func (u *unwiredPorts) add(port string) bool {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.names[port] || len(u.names) >= maxUnwiredPorts {
		return false
	}
	if u.names == nil {
		u.names = map[string]bool{}
	}
	u.names[port] = true
	return true
}

type input struct {
	slot       *slot
	port, wire string
}

// out is an out-port with wires, and what the transaction has for its channel.
type out struct {
	channel    uint16
	hasChannel bool
	ids        bool
	fused      []target
	body       []byte
	heads      []byte
	count      int
}

type target struct {
	slot uint16
	port string
	wire string
}

type hookCall struct {
	request uint64
	hook    string
	turns   uint64
	from    int
	context map[string]any // nil: as it is
}

func newSlot(e *engine, number uint16, unit Unit, load map[string]any) (*slot, error) {
	s := &slot{
		engine: e, number: number, unit: unit,
		dirty: map[string]*entry{}, wanted: sync.NewCond(&e.mutex),
	}
	s.flow, _ = load["flow"].(string)
	s.module, _ = load["module"].(string)
	s.retry, _ = load["retry"].(bool)
	s.concurrency = numberOf(load["concurrency"])
	s.maxTurnBytes = numberOf(load["max_turn_bytes"])
	if ports, is := load["ports"].(map[string]any); is {
		s.ports = map[string]bool{"error": true}
		names, _ := ports["out"].([]any)
		for _, name := range names {
			text, _ := name.(string)
			s.ports[text] = true
		}
	}
	s.config = &entry{json: encoded(load["config"])}
	values, _ := load["context"].(map[string]any)
	return s, s.store.fill(values)
}

func numberOf(value any) int {
	number, _ := value.(int64)
	return int(number)
}

func (s *slot) hooks() []any {
	names := []any{}
	if s.unit.Start != nil {
		names = append(names, "start")
	}
	if s.unit.Stop != nil {
		names = append(names, "stop")
	}
	if s.unit.Migrate != nil {
		names = append(names, "migrate")
	}
	return names
}

// wire takes the complete wiring (PROTOCOL.md, section 5).
func (s *slot) wire(wires map[string]any) {
	s.ins = map[uint16]*input{}
	made := map[string]*out{}
	ins, _ := wires["in"].(map[string]any)
	for channel, value := range ins {
		number, _ := strconv.Atoi(channel)
		port, wire := pairOf(value, 0)
		s.ins[uint16(number)] = &input{s, port, wire}
	}
	outs, _ := wires["out"].(map[string]any)
	for port, value := range outs {
		wiring, _ := value.(map[string]any)
		each := &out{}
		if channel, is := wiring["channel"].(int64); is {
			each.channel, each.hasChannel = uint16(channel), true
		}
		each.ids, _ = wiring["ids"].(bool)
		fused, _ := wiring["fused"].([]any)
		for _, value := range fused {
			triple, _ := value.([]any)
			port, wire := pairOf(value, 1)
			each.fused = append(each.fused, target{uint16(numberOf(triple[0])), port, wire})
		}
		made[port] = each
	}
	s.outs.Store(&made)
}

// wiring is port -> wires.
func (s *slot) wiring() map[string]*out {
	if outs := s.outs.Load(); outs != nil {
		return *outs
	}
	return nil
}

func pairOf(value any, at int) (string, string) {
	texts, _ := value.([]any)
	port, _ := texts[at].(string)
	wire, _ := texts[at+1].(string)
	return port, wire
}

// named is the context of a turn that no message began.
func (s *slot) named(port, name string, number uint64) *Context {
	return &Context{
		slot: s, port: port, number: number, arena: new([]byte),
		id: s.module + "." + name + "#" + strconv.FormatUint(number, 10),
	}
}

// forget drops input; hooks stay.
func (s *slot) forget() {
	kept := s.queue[:0]
	for _, item := range s.queue {
		if hook, is := item.(*hookCall); is {
			kept = append(kept, hook)
		}
	}
	for i := len(kept); i < len(s.queue); i++ {
		s.queue[i] = nil
	}
	s.queue = kept
}
