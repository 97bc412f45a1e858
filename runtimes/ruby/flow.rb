# What modules see: values (docs/data-contract.md), and the context, where a turn's sends and changes wait for its end.
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
    raise DataError, "it is not JSON: a comment, a wrong escape, a lone surrogate" unless strict
    value = JSON.parse(text, max_nesting: depth)
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

  def self.plain(value)
    case value
    when nil, true, false, Float then value
    when NULL then nil
    when String then value.encoding == Encoding::BINARY ? { "$bytes" => [value].pack("m0") } : value
    when Integer then INT64.cover?(value) ? value : raise(DataError, "#{value} is beyond 64 bits")
    when Array then value.map { |item| plain(item) }
    when Hash
      copy = value.to_h { |key, item| [key(key), plain(item)] }
      name = copy.keys[0] if copy.size == 1
      name&.end_with?("$bytes") && name.match?(BYTES) ? { "$#{name}" => copy[name] } : copy
    else raise DataError, "#{value.class} is not JSON"
    end
  end

  def self.key(key)
    return key.name if key.is_a?(Symbol)
    key.is_a?(String) && key.valid_encoding? ? key : raise(DataError, "#{key.inspect} cannot be a key")
  end

  class Context
    attr_reader :slot, :port, :message_id, :number, :fused, :redelivered, :sends, :changes, :size, :own_headers
    attr_reader :outputs, :busy_us
    attr_accessor :message, :error

    def initialize(slot, port, id, number, headers = nil, message = nil, fused: false, redelivered: false)
      @slot, @port, @message_id, @number, @own_headers = slot, port, id, number, headers.to_h
      @message, @fused, @redelivered, @open = message, fused, redelivered, true
      @sends, @changes, @undo, @outputs, @size, @grown = [], {}, {}, [], 0, 0
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
      return if value.nil?
      raise CreditError, "a send outside of a turn" unless @open
      ports = @slot.load["ports"]&.fetch("out")
      raise PortError, "there is no out-port #{port}" unless ports.nil? || [*ports, "error"].include?(port)
      good = headers.to_h.all? { |k, v| v.is_a?(String) && k.match?(/\A(client|traceparent|x-.*)\z/) }
      raise HeaderError, "headers: client, traceparent, x-*" unless good && Flow.encode(headers).bytesize <= 4096
      @sends << [port, grow(Flow.encode(value)), headers.to_h]
    end

    def apply = @changes.each { |key, data| @undo[key] = @slot.put(key, data) } && self
    def undo = @undo.each { |key, data| @slot.put(key, data) }
    def close(busy_us) = (@open, @busy_us = false, busy_us)

    private

    def stored(key) = @changes.fetch(key = Flow.key(key)) { @slot.store[key] }

    def grow(data)
      (@size += data.to_s.bytesize) <= @slot.load["max_turn_bytes"] ? data : raise(TurnTooLarge, "of one handler")
    end

    def change(key, data)
      raise ContextError, "no turn is open, or turns may overlap" if !@open || @slot.load["concurrency"] > 1
      @grown += data.to_s.bytesize - stored(key).to_s.bytesize
      too_large = data && (data.bytesize > 1 << 20 || @slot.bytes + @grown > 64 << 20)
      raise ContextError, "a value has at most 1 MiB, a context 64 MiB" if too_large
      @changes[Flow.key(key)] = grow(data)
    end
  end
end
