# What a module sees of a call, its context: sends and changes wait there for the turn's end.
require_relative "values"

module Flow
  PortError, HeaderError, ContextError, CreditError, TurnTooLarge = Array.new(5) { Class.new(StandardError) }

  # Messages for a port of a slot, of one origin: `counts` says what each is in COMMIT, [consumed, handled, fused];
  # `text` is that of a fused message, as it was sent.
  Batch = Struct.new(:slot, :port, :counts, :wire, :messages, :ids, :headers, :first, :flags, :done, :text)

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
    def log(level, text) = @slot.host.log(level, text)
    def keys = @slot.store.merge(@changes).compact.keys
    def get(key, default = nil) = (data = stored(key)) ? Flow.decode(data) : default
    def set(key, value) = change(key, Flow.encode(value))
    def delete(key) = stored(key) && change(key, nil)

    def send(port, value, headers = nil)
      port = port.name if port.is_a?(Symbol)
      known = @slot.ports.nil? || @slot.ports["out"].include?(port) || port == "error"
      raise PortError, "there is no out-port #{port}" unless known
      headers = headers ? valid(headers) : own_headers
      headers = headers.merge("id" => output_id) if @slot.out[port]&.ids
      return if nil.equal?(value)
      @sends << [port, grow(Flow.encode(value)), headers]
      @slot.say_unwired(port) unless @slot.out.key?(port)
    end

    def output_id(index = @sends.size) = "#{message_id}/#{module_id}.#{index}"
    def check = @size <= @slot.max_turn_bytes || raise(TurnTooLarge, "outputs exceed #{@slot.max_turn_bytes} bytes")
    def fail(error) = (@error, @sends, @changes, @size = error, [], NONE, 0)

    private

    def own_headers = @batch.headers&.at(@index) || NONE
    def stored(key) = @changes.fetch(key = Flow.key(key)) { @slot.store[key] }

    def valid(headers)
      headers = headers.to_h.transform_keys(&Flow.method(:key))
      good = headers.all? { |key, text| text.is_a?(String) && key.match?(/\A(client|traceparent|x-.*)\z/) }
      good &&= (text = Flow.encode(headers)).bytesize <= 4096
      good ? JSON.parse(text) : raise(HeaderError, "headers: texts named client, traceparent or x-*, 4 KiB at most")
    end

    def grow(data)
      raise CreditError, "the turn has ended" if @busy_us
      @size += data.bytesize
      check && data
    end

    def change(key, data)
      raise ContextError, "the context is read-only: turns may overlap" if @slot.load["concurrency"] > 1
      grown = @grown + data.to_s.bytesize - stored(key).to_s.bytesize
      too_large = data && (data.bytesize > 1 << 20 || @slot.bytes + grown > 64 << 20)
      raise ContextError, "1 MiB a value, 64 MiB in all" if too_large
      grow(data.to_s)
      @grown = grown
      @changes = {} if @changes.equal?(NONE)
      @changes[Flow.key(key)] = data
    end
  end
end
