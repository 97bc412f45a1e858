# What a module sees: values (docs/data-contract.md), and the context, where sends and changes wait for the turn's end.
require "json"

module Flow
  DataError = JSON::JSONError # so that whatever the json library refuses is one
  %i[PortError HeaderError ContextError CreditError TurnTooLarge].each { |n| const_set(n, Class.new(StandardError)) }
  NULL, DEPTH, INT64 = Object.new.freeze, 120, (-2**63..2**63 - 1) # NULL: a null at the top; nil is "no value"
  # The library also takes comments and any escape: only a text with a slash or a backslash can have them.
  STRICT = /\A(?:[^"\/]++|"(?:[^"\\]++|\\(?:["\\\/bfnrt]|u\h{4}))*+")*+\z/
  LONE, PAIRS = /\\u[dD][89a-fA-F]/, /\\[^u]|\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h/
  SPECIAL, BYTES = /\d{19}|[eE]\+?0*\d{3}|"\$/, /\A\$+bytes\z/ # numbers out of range, native bytes

  def self.decode(data, depth = DEPTH)
    text = data.dup.force_encoding("UTF-8")
    raise DataError, "it is not UTF-8" unless text.valid_encoding?
    strict = !text.match?(/[\/\\]/) || (text.match?(STRICT) && !text.gsub(PAIRS, "").match?(LONE))
    value = strict ? JSON.parse(text, max_nesting: depth) : raise(DataError, "a comment, escape or lone surrogate")
    text.match?(SPECIAL) ? native(value) : value
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

  def self.message(data) = (value = decode(data)).nil? ? NULL : value
  def self.encode(value) = JSON.generate(plain(value), max_nesting: DEPTH)

  def self.key(key)
    return key.name if key.is_a?(Symbol)
    key.to_str.valid_encoding? ? key : raise(EncodingError, "it is not UTF-8")
  end

  def self.plain(value)
    case value
    when nil, true, false, Float then value
    when NULL then nil
    when String then value.encoding == Encoding::BINARY ? { "$bytes" => [value].pack("m0") } : value
    when Integer then INT64.cover?(value) ? value : raise(DataError, "#{value} is beyond 64 bits")
    when Array then value.map { |item| plain(item) }
    when Hash
      copy = value.to_h { |key, item| [key(key), plain(item)] }
      copy.size == 1 && copy.keys[0].match?(BYTES) ? { "$#{copy.keys[0]}" => copy.values[0] } : copy
    else raise DataError, "#{value.class} is not JSON"
    end
  rescue EncodingError, NoMethodError => error
    raise DataError, "a key is not a text: #{error.message.scrub}"
  end

  class Context
    attr_reader :slot, :port, :message_id, :number, :fused, :redelivered, :own_headers
    attr_reader :sends, :changes, :outputs, :size
    attr_accessor :message, :error, :busy_us

    def initialize(slot, port, id, number, headers = {}, message = nil, fused: false, redelivered: false)
      @slot, @port, @message_id, @number, @own_headers, @message = slot, port, id, number, headers, message
      @fused, @redelivered, @sends, @changes, @undo, @outputs, @size, @grown = fused, redelivered, [], {}, {}, [], 0, 0
    end

    def config = @slot.load["config"]
    def module_id = @slot.load["module"]
    def flow_id = @slot.load["flow"]
    def headers = @own_headers.dup
    def log(level, text) = @slot.host.log(level.to_s, text.to_s)
    def keys = @slot.store.merge(@changes).compact.keys
    def get(key, default = nil) = (data = stored(key)) ? Flow.decode(data) : default
    def set(key, value) = change(key, Flow.encode(value))
    def delete(key) = stored(key) && change(key, nil)

    def send(port, value, headers = @own_headers)
      ports = @slot.load["ports"]&.fetch("out") || [port]
      raise PortError, "there is no out-port #{port}" unless ports.include?(port) || port == "error"
      good = headers.all? { |k, v| v.is_a?(String) && k.match?(/\A(client|traceparent|x-.*)\z/) }
      raise HeaderError, "headers: client, traceparent, x-*" unless good && JSON.generate(headers).bytesize <= 4096
      @sends << [port, grow(Flow.encode(value)), headers] unless value.nil?
    end

    def apply = @changes.each { |key, data| @undo[key] = @slot.put(key, data) } && self
    def undo = @undo.each { |key, data| @slot.put(key, data) }

    private

    def stored(key) = @changes.fetch(key = Flow.key(key)) { @slot.store[key] }

    def grow(data)
      raise CreditError, "the turn has ended" if @busy_us
      (@size += data.to_s.bytesize) <= @slot.load["max_turn_bytes"] ? data : raise(TurnTooLarge, "of one handler")
    end

    def change(key, data)
      raise ContextError, "the context is read-only: turns may overlap" if @slot.load["concurrency"] > 1
      @grown += data.to_s.bytesize - stored(key).to_s.bytesize
      too_large = data && (data.bytesize > 1 << 20 || @slot.bytes + @grown > 64 << 20)
      too_large ? raise(ContextError, "1 MiB a value, 64 MiB in all") : @changes[Flow.key(key)] = grow(data)
    end
  end

  class Slot # a loaded module, and its context as of the last turn that stands
    attr_reader :host, :number, :load, :store, :bytes, :code
    attr_accessor :wires, :held

    def initialize(host, number, load)
      @host, @number, @load, @wires = host, number, load, { "in" => {}, "out" => {} }
      restore(load["context"])
      space = Module.new # of its own: nobody else sees its constants and methods
      space.define_singleton_method(:require_relative) do |name|
        module_eval(load["files"].fetch(file = "#{name.delete_suffix(".rb")}.rb"), file, 1)
      end
      space.module_eval(load["code"], load["name"], 1)
      @code = Object.new.extend(space)
      raise LoadError, "it defines neither run nor start" unless @code.respond_to?(:run) || @code.respond_to?(:start)
    end

    def restore(context)
      @store, @bytes = {}, 0
      context.each { |key, value| put(key, Flow.encode(value)) }
    end

    def put(key, data)
      old = @store.delete(key)
      @store[key] = data if data
      @bytes += data.to_s.bytesize - old.to_s.bytesize
      old
    end
  end
end
