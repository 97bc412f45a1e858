# A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.
# Its config is {"programs" => {CASE => [STEP, ...]}, "die" => [CASE, ...], "part" => VALUE}; a message tells its case.
require "bigdecimal"
require "date"
require "set"

KEPT = []
TABLE = { "prices" => [20, { "a" => 1 }], "name" => "table" }

class Text < String
  def to_s = "another text"
  def to_str = "a third text"
  def to_json(*) = "no JSON"
  def inspect = "no"
end

class Row < Array
  def each = yield("other")
  def to_json(*) = "no JSON"
  def size = 7
end

class Record < Hash
  def each = yield("other", "items")
  def to_json(*) = "no JSON"
end

class Plain
  def initialize = @x = 1
  def to_json(*) = "{}"
  def to_s = "plain"
  def to_h = { "x" => 1 }
  def to_str = "plain"
end

def cyclic_list = [1].tap { |list| list << list }
def cyclic_hash = { "a" => [] }.tap { |hash| hash["a"] << hash }
def deep(levels) = (0...levels).inject(0) { |value, level| level.odd? ? [value] : { "d" => value } }
def identity = {}.compare_by_identity.tap { |hash| hash["a".dup] = 1 }

ODD = {
  "time" => -> { Time.at(0).utc }, "date" => -> { Date.new(2020, 1, 2) }, "datetime" => -> { DateTime.new(2020, 1, 2) },
  "decimal" => -> { BigDecimal("1.10") }, "rational" => -> { 1r / 3 }, "complex" => -> { 1i }, "set" => -> { Set[1, 2] },
  "symbol" => -> { :text }, "symbols" => -> { [:a, [:b]] }, "range" => -> { 1..3 }, "regexp" => -> { /a/ },
  "struct" => -> { Struct.new(:a).new(1) }, "nan" => -> { Float::NAN }, "inf" => -> { -Float::INFINITY },
  "minus_zero" => -> { -0.0 }, "tiny" => -> { 5e-324 }, "huge_float" => -> { Float::MAX }, "tenth" => -> { 0.1 },
  "wide_float" => -> { 2.0**70 }, "int64" => -> { 2**63 - 1 }, "min_int64" => -> { -2**63 }, "uint64" => -> { 2**63 },
  "below_int64" => -> { -2**63 - 1 }, "wide" => -> { 2**70 }, "int54" => -> { 2**53 + 1 },
  "surrogate" => -> { "a\xED\xA0\x80" }, "bad_text" => -> { "\xff" }, "bad_key" => -> { { "\xff" => 1 } },
  "ascii" => -> { 1.to_s }, "latin" => -> { "\u00e9".encode("ISO-8859-1") }, "wide_text" => -> { "\u00e9".encode("UTF-16LE") },
  "latin_key" => -> { { "\u00e9".encode("ISO-8859-1") => 1 } }, "utf7" => -> { "a".dup.force_encoding("UTF-7") },
  "nul" => -> { "\u0000\u2028\u{10ffff}" }, "int_key" => -> { { 1 => "a" } }, "nil_key" => -> { { nil => 1 } },
  "symbol_key" => -> { { a: [1], b: { c: 2 } } }, "both_keys" => -> { { "a" => 1, a: 2 } },
  "two_latin_keys" => -> { { "\u00e9" => 1, "\u00e9".encode("ISO-8859-1") => 2 } }, "identity" => -> { identity },
  "identities" => -> { identity.tap { |hash| hash["a".dup] = 2 } }, "bytes_key" => -> { { "\xff".b => 1 } },
  "text" => -> { Text.new("text") }, "text_key" => -> { { Text.new("k") => 1, "l" => 2 } },
  "row" => -> { Row.new([1, [2]]) }, "record" => -> { Record["a", [1]] }, "default" => -> { Hash.new { [1] } },
  "object" => -> { Plain.new }, "class" => -> { Plain }, "lambda" => -> { -> { 1 } }, "method" => -> { method(:deep) },
  "basic" => -> { BasicObject.new }, "error" => -> { ArgumentError.new("v") }, "bytes" => -> { "ab\xff".b },
  "no_bytes" => -> { "".b }, "ascii_bytes" => -> { "ab".b }, "own_bytes" => -> { { "$bytes" => "YQ==" } },
  "own_bad_bytes" => -> { { "$bytes" => [1] } }, "own_escaped" => -> { { "$$bytes" => "x".b } },
  "symbol_bytes" => -> { { "$bytes": "YQ==" } }, "null" => -> { Flow::NULL }, "nil" => -> { nil },
  "null_in" => -> { [Flow::NULL, nil] }, "cyclic_list" => -> { cyclic_list }, "cyclic_hash" => -> { cyclic_hash },
  "deep" => -> { deep(110) }, "deep_limit" => -> { deep(120) }, "deep_over" => -> { deep(121) },
  "very_deep" => -> { deep(3000) }, "empty" => -> { {} }, "empty_key" => -> { { "" => { "__proto__" => 1 } } },
  "big_text" => -> { "x" * 100_000 }, "big_list" => -> { (0...20_000).to_a }, "long" => -> { "\u20ac" * 600 },
  "frozen" => -> { { "a" => ["b".freeze].freeze }.freeze }, "shared" => -> { TABLE["prices"].then { |part| [part, part] } },
  "extended" => -> { "text".dup.tap { |text| def text.own = 1 } }
}.freeze

# The case that a message belongs to, "-" if it does not tell.
def case_of(message)
  case message
  when Hash then case_of(message["case"])
  when Array then message.empty? ? "-" : case_of(message[0])
  when String then message.b.split(":")[0].to_s.force_encoding("UTF-8")
  when Integer, Float then message.to_i.to_s
  else "-"
  end
end

# Change everything in a value that can be changed, but never the own table: it is the same after a death.
def mutate(value, depth = 0)
  return if depth > 5 || TABLE.equal?(value) || TABLE["prices"].equal?(value)
  case value
  when Hash
    value.values.each { |item| mutate(item, depth + 1) }
    value.delete_if { |key, _| key != "case" } unless value.frozen?
    value["mutated"] = ["yes"] unless value.frozen?
  when Array
    (0...value.length).each { |at| mutate(value[at], depth + 1) }
    value.push("mutated") unless value.frozen?
  when String then value << "mutated" unless value.frozen?
  end
rescue EncodingError
  nil
end

# What a value is, with the types of all its parts.
def saw(value, depth = 0)
  return "deeper" if depth > 130
  case value
  when Hash then "#{value.class}(#{value.map { |key, item| "#{saw(key)}: #{saw(item, depth + 1)}" }.join(", ")})"
  when Array then "#{value.class}(#{value.map { |item| saw(item, depth + 1) }.join(", ")})"
  when String then "#{value.class} #{value.encoding} #{value.frozen? && depth > 1 ? "" : ""}#{value.dump[0, 200]}"
  when Flow::NULL then "null"
  else "#{value.class} #{value.inspect}"
  end
end

def wrapped(number, value) = { "case" => number, "v" => value }

# Twice the same, changed between.
def yields(value)
  Enumerator.new do |out|
    out << value
    mutate(value)
    out << value
  end
end

# Do as the program says; returns what the handler returns.
def act(message, context)
  number, value = case_of(message), message
  programs, die = context.config.values_at("programs", "die")
  Process.kill(9, $$) if die.include?(number) && !context.redelivered
  (programs[number] || [["return"]]).each do |word, rest|
    case word
    when "value" then value = Marshal.load(Marshal.dump(rest))
    when "make" then value = ODD.fetch(rest).call
    when "dict" then value = wrapped(number, value)
    when "list" then value = [number, value]
    when "twice" then value = [number, value, value]
    when "message" then value = message
    when "table" then value = TABLE
    when "part" then value = wrapped(number, context.config["part"])
    when "config" then value = wrapped(number, context.config.reject { |key, _| %w[programs die].include?(key) })
    when "get" then value = context.get(rest, wrapped(number, "default"))
    when "set" then context.set(rest, value)
    when "saw" then context.set("saw #{number}", saw(message))
    when "keep" then KEPT << value
    when "keep_message" then KEPT << message
    when "spoil" then mutate(KEPT.pop) until KEPT.empty?
    when "mutate" then mutate(value)
    when "mutate_message" then mutate(message)
    when "send" then context.send(rest, value)
    when "send_with" then context.send("out", value, { "x-h" => number })
    when "catch"
      begin
        context.send("out", value)
      rescue Flow::DataError => error
        context.send("side", [number, "refused", error.message])
      end
    when "catch_set"
      begin
        context.set("caught", value)
      rescue Flow::DataError, Flow::ContextError => error
        context.set("caught", [number, "refused", error.message])
      end
    when "fail" then raise "case #{number}"
    when "return" then return value
    when "yields" then return yields(value)
    else raise "the word #{word}"
    end
  end
  nil
end
