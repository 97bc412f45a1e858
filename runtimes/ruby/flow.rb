# What a module sees: values (docs/data-contract.md), and the context, where sends and changes wait for the turn's end.
require "json"

module Flow
  DataError = JSON::JSONError # so that whatever the json library refuses is one
  PortError, HeaderError, ContextError, CreditError, TurnTooLarge = Array.new(5) { Class.new(StandardError) }
  NULL, DEPTH, INT64 = Object.new.freeze, 120, (-2**63..2**63 - 1) # NULL: a null at the top; nil is "no value"
  GENERATOR = JSON::State.new(max_nesting: DEPTH) # made once: JSON.generate reads its options for every value
  # The library also takes comments and any escape; only what is UNUSUAL is held against STRICT, which takes its time.
  UNUSUAL, STRICT = /\\|\/[\/*]/, /\A(?:[^"\/]++|"(?:[^"\\]++|\\(?:["\\\/bfnrt]|u\h{4}))*+")*+\z/
  LONE, PAIRS = /\\u[dD][89a-fA-F]/, /\\[^u]|\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h/
  LARGE, BYTES = /\d(?:\d{18}|[eE]\+?0*\d{3})/, /\A\$+bytes\z/ # numbers that may be out of range, native bytes

  def self.decode(data, depth = DEPTH)
    text = data.dup.force_encoding("UTF-8")
    raise DataError, "it is not UTF-8" unless text.valid_encoding?
    strict = !text.match?(UNUSUAL) || (text.match?(STRICT) && !text.gsub(PAIRS, "").match?(LONE))
    value = strict ? JSON.parse(text, max_nesting: depth) : raise(DataError, "a comment, escape or lone surrogate")
    text.include?('"$') || text.match?(LARGE) ? native(value) : value
  end

  def self.native(value)
    case value
    when Integer then INT64.cover?(value) ? value : native(value.to_f)
    when Float then value.finite? ? value : raise(DataError, "a number is larger than any double")
    when Array then value.map { |item| native(item) }
    when Hash
      key, inner = value.first if value.size == 1
      return inner.to_str.unpack1("m0") if key == "$bytes"
      key&.match?(BYTES) ? { key[1..] => native(inner) } : value.transform_values { |item| native(item) }
    else value
    end
  rescue ArgumentError, NoMethodError
    raise DataError, "$bytes is not base64"
  end

  def self.encode(value)
    GENERATOR.generate(special?(value) ? plain(value) : value)
  rescue EncodingError, ArgumentError, SystemStackError => error # a bad key; it contains itself
    raise DataError, error.message.scrub
  ensure
    GENERATOR.depth = 0 # it stays where an error left it
  end

  def self.special?(value) # has something the library would write in its own way: most values have not
    case value
    when String then value.encoding == Encoding::BINARY
    when Integer then value.bit_length > 63
    when Float, nil, true, false then false
    when Array then value.class != Array || value.any? { |item| special?(item) }
    when Hash
      value.size == 1 || value.class != Hash || value.any? { |key, item| !key.is_a?(String) || special?(item) }
    else true
    end
  end

  def self.plain(value)
    case value
    when String then value.encoding == Encoding::BINARY ? { "$bytes" => [value].pack("m0") } : value
    when Integer then INT64.cover?(value) ? value : raise(DataError, "#{value} is beyond 64 bits")
    when Float, nil, true, false then value
    when Array then value.map { |item| plain(item) }
    when Hash
      copy = value.transform_values { |item| plain(item) }
      copy.each_key { |key| key.is_a?(String) || key(key) }
      copy.size == 1 && copy.keys[0].match?(BYTES) ? { "$#{copy.keys[0]}" => copy.values[0] } : copy
    when NULL then nil
    else raise DataError, "#{value.class} is not JSON"
    end
  end

  def self.key(key)
    key = key.name if key.is_a?(Symbol)
    key.is_a?(String) && key.valid_encoding? ? key : raise(DataError, "a key is not a text")
  end

  # Messages for a port of a slot, of one origin: `counts` says what each is in COMMIT, [consumed, handled, fused].
  Batch = Struct.new(:slot, :port, :counts, :wire, :messages, :ids, :headers, :first, :flags, :done)

  NONE = {}.freeze # most calls have no headers and change nothing

  class Context # of one message on its way through one handler
    attr_reader :slot, :batch, :sends, :changes, :size, :error
    attr_accessor :busy_us

    def initialize(batch, index)
      @batch, @index, @slot, @sends, @changes = batch, index, batch.slot, [], NONE
      @size = @grown = 0
    end

    def config = @slot.load["config"]
    def module_id = @slot.load["module"]
    def flow_id = @slot.load["flow"]
    def port = @batch.port
    def number = @batch.first + @index
    def message = @batch.messages[@index]
    def message_id = @batch.ids&.at(@index) || "#{@batch.wire}##{number}"
    def headers = own_headers.dup
    def redelivered = @batch.flags & 1 != 0
    def log(level, text) = @slot.host.log(level.to_s, text.to_s)
    def keys = @slot.store.merge(@changes).compact.keys
    def get(key, default = nil) = (data = stored(key)) ? Flow.decode(data) : default
    def set(key, value) = change(key, Flow.encode(value))
    def delete(key) = stored(key) && change(key, nil)

    def send(port, value, headers = nil)
      known = @slot.ports.nil? || @slot.ports["out"].include?(port) || port == "error"
      raise PortError, "there is no out-port #{port}" unless known
      headers = headers ? valid(headers) : own_headers
      headers = headers.merge("id" => output_id) if @slot.out[port]&.ids
      @sends << [port, grow(Flow.encode(value)), headers] unless value.nil?
    end

    def output_id(index = @sends.size) = "#{message_id}/#{module_id}.#{index}"
    def apply = @undo = @slot.put(@changes)
    def undo = @undo && @slot.put(@undo)
    def fail(error) = (@error, @sends, @changes, @size = error, [], NONE, 0)

    private

    def own_headers = @batch.headers&.at(@index) || NONE
    def stored(key) = @changes.fetch(key = Flow.key(key)) { @slot.store[key] }

    def valid(headers)
      good = headers.all? { |k, v| v.is_a?(String) && k.match?(/\A(client|traceparent|x-.*)\z/) }
      raise HeaderError, "headers: client, traceparent, x-*" unless good && JSON.generate(headers).bytesize <= 4096
      headers
    end

    def grow(data)
      raise CreditError, "the turn has ended" if @busy_us
      (@size += data.bytesize) <= @slot.max_turn_bytes ? data : raise(TurnTooLarge, "of one handler")
    end

    def change(key, data)
      raise ContextError, "the context is read-only: turns may overlap" if @slot.load["concurrency"] > 1
      @grown += data.to_s.bytesize - stored(key).to_s.bytesize
      too_large = data && (data.bytesize > 1 << 20 || @slot.bytes + @grown > 64 << 20)
      raise ContextError, "1 MiB a value, 64 MiB in all" if too_large
      grow(data.to_s)
      @changes = {} if @changes.equal?(NONE)
      @changes[Flow.key(key)] = data
    end
  end

  class Slot # a loaded module, and its context as of the last turn that stands
    Out = Struct.new(:channel, :ids, :fused)
    attr_reader :host, :number, :load, :ports, :max_turn_bytes, :retry, :store, :bytes, :code, :in, :out, :fuses
    attr_accessor :held

    def initialize(host, number, load)
      @host, @number, @load, @in, @out = host, number, load, {}, {}
      @ports, @max_turn_bytes, @retry = load.values_at("ports", "max_turn_bytes", "retry")
      restore(load["context"])
      space = Module.new # of its own: nobody else sees its constants and methods
      space.define_singleton_method(:require_relative) do |name|
        module_eval(load["files"].fetch(file = "#{name.delete_suffix(".rb")}.rb"), file, 1)
      end
      space.module_eval(load["code"], load["name"], 1)
      @code = Object.new.extend(space)
      raise LoadError, "it defines neither run nor start" unless @code.respond_to?(:run) || @code.respond_to?(:start)
    end

    def wire(wires)
      @in = wires["in"]
      @out = wires["out"].transform_values { |out| Out.new(*out.values_at("channel", "ids", "fused")) }
      @fuses = @out.each_value.any? { |out| out.fused.any? }
    end

    def restore(context)
      @store, @bytes = {}, 0
      put(context.transform_values { |value| Flow.encode(value) })
    end

    def put(changes) # returns what puts it back
      changes.to_h do |key, data|
        old = @store.delete(key)
        @store[key] = data if data
        @bytes += data.to_s.bytesize - old.to_s.bytesize
        [key, old]
      end
    end
  end
end
