# Values to JSON text and back, by the data contract (docs/data-contract.md). It knows neither turns nor modules.
require "json"

module Flow
  DataError = JSON::JSONError # so that whatever the json library refuses is one
  NULL, DEPTH, INT64 = Object.new.freeze, 120, (-2**63..2**63 - 1) # NULL: a null at the top; nil is "no value"
  UTF8, BINARY = Encoding::UTF_8, Encoding::BINARY
  GENERATOR = JSON::State.new(max_nesting: DEPTH) # made once: JSON.generate reads its options for every value
  # The library also takes comments and any escape; only what is UNUSUAL is held against STRICT, which takes its time.
  UNUSUAL, STRICT = /\\|\/[\/*]/, /\A(?:[^"\/]++|"(?:[^"\\]++|\\(?:["\\\/bfnrt]|u\h{4}))*+")*+\z/
  LONE, PAIRS = /\\u[dD][89a-fA-F]/, /\\[^u]|\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h/
  LARGE, BYTES = /\d(?:\d{18}|[eE]\+?0*\d{3})/, /\A\$+bytes\z/ # numbers that may be out of range, native bytes
  SHOWN_BYTES = 64 << 10 # of what only people read

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
  rescue Exception => error # Timeout's as well
    GENERATOR.depth = 0 # it stays where an error left it
    raise refused(error)
  end

  def self.refused(error)
    case error
    when SystemStackError, JSON::NestingError then DataError.new("it is nested deeper than #{DEPTH}, or contains itself")
    when JSON::GeneratorError
      DataError.new(error.message.match?(/NaN|Infinity/) ? "NaN and infinity are not JSON" : "a text is not UTF-8")
    when EncodingError, ArgumentError then DataError.new(utf8(error.message))
    else error
    end
  end

  def self.special?(value) # has something the library would write in its own way: most values have not
    case value
    when String then !value.encoding.equal?(UTF8) || !value.instance_of?(String)
    when Integer then value.bit_length > 63
    when Float, nil, true, false then false
    when Array then value.class != Array || value.any? { |item| special?(item) }
    when Hash
      value.size == 1 || value.class != Hash || value.compare_by_identity? ||
        value.any? { |key, item| !key.instance_of?(String) || !key.encoding.equal?(UTF8) || special?(item) }
    else true
    end
  end

  def self.plain(value)
    case value
    when String then value.encoding == BINARY ? { "$bytes" => [value].pack("m0") } : text(value)
    when Integer then INT64.cover?(value) ? value : raise(DataError, "#{value} is beyond 64 bits")
    when Float, nil, true, false then value
    when Array then value.map { |item| plain(item) }
    when Hash
      copy = {}
      value.each { |key, item| copy[key(key)] = plain(item) }
      raise DataError, "two of its keys are the same text: #{twice(value)}" if copy.size < value.size
      copy.size == 1 && copy.keys[0].match?(BYTES) ? { "$#{copy.keys[0]}" => copy.values[0] } : copy
    when NULL then nil
    else raise DataError, refusal(value)
    end
  end

  def self.text(value)
    value = String.new(value) unless value.instance_of?(String)
    value.encoding == Encoding::US_ASCII ? value : value.encode(UTF8) # no copy of what is UTF-8
  end

  def self.key(key)
    key = key.name if key.is_a?(Symbol)
    raise DataError, "a key is a text, not #{key.inspect[0, 100]}" unless key.is_a?(String)
    key = text(key.encoding == BINARY && key.ascii_only? ? key.dup.force_encoding(UTF8) : key)
    key.valid_encoding? ? key : raise(DataError, "a key is not UTF-8")
  end

  def self.twice(hash)
    hash.keys.group_by { |key| key(key) }.values.find { |keys| keys.size > 1 }.map(&:inspect).join(" and ")
  end

  def self.refusal(value)
    advice = { "Symbol" => "to_s", "Date" => "iso8601", "Time" => "iso8601(3)", "Set" => "to_a", "BigDecimal" => "to_s" }
    type = Kernel.instance_method(:class).bind_call(value)
    method = type.ancestors.filter_map { |one| advice[one.to_s] }.first
    "#{type.name || "a nameless class"} is not JSON#{": send what you want of it, for instance value.#{method}" if method}"
  end

  def self.utf8(text) = octets(text).force_encoding(UTF8).scrub # of any text, as well as it goes

  def self.octets(text) # the same, in which a character may be cut
    text = text.to_s
    text = text.encode(UTF8, invalid: :replace, undef: :replace) unless [UTF8, BINARY].include?(text.encoding)
    text.b
  rescue EncodingError # from something that is not really an encoding
    text.b
  end

  def self.shown(text) # of bounded length
    text = utf8(text)
    text.bytesize > SHOWN_BYTES ? text.byteslice(0, SHOWN_BYTES).scrub("").concat("...") : text
  end
end
