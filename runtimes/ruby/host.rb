# The host of Ruby modules (runtimes/PROTOCOL.md): one loop reads frames, runs turns and commits them.
require "stringio"
require_relative "flow"

class Printed < StringIO # what modules print
  def initialize(host) = super().tap { @host = host }
  def write(*parts) = parts.join.tap { |s| s.each_line(chomp: true) { |l| @host.log("info", l) unless l.empty? } }.size
end

class Host
  HEADER, BODY_BYTES, OUTPUT_BYTES, WORK_US, LOOK_US = "L<CCS<L<L<Q<", 64 << 20, 64 << 10, 10_000, 5_000
  DATA, HELLO, CONTEXT, ERROR, LOG, TURN, COMMIT, PAUSED, RESULT, PONG = 4, *16..23, 25
  REDELIVERED, HEADERS, ANNOUNCE, DELETED, HELD, NO_INDEX, ALL_SLOTS = 1, 2, 4, 8, 16, 0xffffffff, 65535
  Batch = Struct.new(:slot, :port, :wire, :messages, :headers, :flags, :first, :done)

  def initialize(input, output)
    @in, @out, @buffer, @slots, @todo, @looked = File.open(input, "rb"), File.open(output, "wb"), "".b, {}, [], 0
    clear
    $stdout = $stderr = Printed.new(self)
    frame(HELLO, 0, JSON.generate(protocol: 1, runtime: "ruby", version: RUBY_VERSION, pid: $$))
  end

  def run
    loop do
      commit if @size >= OUTPUT_BYTES || (@begun && clock - @begun >= WORK_US)
      look if @todo.empty? || clock - @looked >= LOOK_US
      step(@todo[0]) unless @todo.empty?
    end
  end

  def log(level, text) = frame(LOG, @current || ALL_SLOTS, JSON.generate(level: level, text: text.scrub))

  private

  def clock = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
  def clear = (@outputs, @changes, @errors, @rows, @size, @begun = {}, {}, [], {}, 0, nil)

  def frame(kind, slot = 0, body = "", flags = 0, skip = 0, count = 0, first = 0)
    @out.write([body.bytesize, kind, flags, slot, skip, count, first].pack(HEADER), body)
    @out.flush
  end

  def look # at the input; waits for it when there is nothing to do
    @looked = clock
    while (data = @in.read_nonblock(256 << 10, exception: false)) == :wait_readable
      return unless @todo.empty?
      commit
      IO.select([@in])
    end
    exit!(1) if data.nil?
    @buffer << data
    at = 0
    while @buffer.bytesize - at >= 24
      size, kind, *fields = @buffer.unpack(HEADER, offset: at) # a slice would make the next << copy it all
      exit!(3) if size > BODY_BYTES || !kind.between?(1, 9)
      break if @buffer.bytesize - at < 24 + size
      take(kind, @buffer.byteslice(at + 24, size), *fields)
      at += 24 + size
    end
    @buffer = @buffer.byteslice(at..) if at.positive?
  end

  def take(kind, body, flags, number, skip, count, first) # everything but DATA is done at once, between two turns
    slot = @slots[number]
    case kind
    when 1 then result(number, first, load(number, Flow.decode(body, 1000)))
    when 2 then pause([@slots.delete(number)]) && result(number, first, ok: true)
    when 3 then slot.wires = Flow.decode(body)
    when DATA then queue(body, flags, number.to_s, skip, count, first)
    when 6 then pause(slot ? [slot] : @slots.values) && frame(PAUSED, number, "", 0, 0, 0, first)
    when 7 then result(number, first, call(slot, Flow.decode(body, 1000)))
    when 8 then commit && exit!(0)
    when 9 then frame(PONG, 0, "", 0, 0, 0, first)
    end # 5, PULL: there are no sources
  end

  def result(number, request, body) = commit && frame(RESULT, number, JSON.generate(body), 0, 0, 0, request)

  def load(number, body)
    @slots[@current = number] = slot = Flow::Slot.new(self, number, body)
    { ok: true, hooks: %w[start stop migrate].select { |hook| slot.code.respond_to?(hook) } }
  rescue Exception => error
    { ok: false, error: describe(error, body["name"]) }
  end

  def pause(slots)
    slots.each { |slot| slot.held = false }
    @todo.reject! { |batch| slots.include?(batch.slot) }
    commit
  end

  def call(slot, body)
    commit
    slot.restore(body["context"]) if body.key?("context")
    return { ok: true } unless slot.code.respond_to?(hook = body["hook"])
    root = Flow::Context.new(slot, hook, "#{slot.load["module"]}.#{hook}#0", 0)
    done = turn(root) do
      value = slot.code.public_send(hook, root, *body["from_version"])
      raise NotImplementedError, "Ruby modules cannot be sources" if value.is_a?(Enumerator)
    end
    return { ok: false, error: describe(root.error, slot.load["name"]) } if root.error
    keep(done, 0, 0)
    { ok: true, source: false }
  end

  def queue(body, flags, channel, skip, count, first)
    slot = @slots.each_value.find { |one| one.wires["in"].key?(channel) }
    return if slot.held
    cut = body.index(",\n\n") if flags & HEADERS != 0
    headers, body = Flow.decode(body[1...cut])[skip, count], body[cut + 3...-1] if cut
    begin
      messages = Flow.decode(body, Flow::DEPTH + 1)[skip, count].map { |value| value.nil? ? Flow::NULL : value }
    rescue Flow::DataError # each for itself
      messages = body[1...-1].split(",\n", -1)[skip, count].map { |text| Flow.message(text) rescue $! }
    end
    @todo << Batch.new(slot, *slot.wires["in"][channel], messages, headers || [], flags, first, 0)
  end

  def step(batch)
    slot, headers, number = batch.slot, batch.headers[batch.done].to_h, batch.first + batch.done
    root = Flow::Context.new(slot, batch.port, headers.delete("id") || "#{batch.wire}##{number}", number, headers,
                             batch.messages[batch.done], redelivered: batch.flags & REDELIVERED != 0)
    announce = batch.flags & ANNOUNCE != 0
    commit && frame(TURN, slot.number, "", 0, 0, 0, number) if announce
    @todo.shift if (batch.done += 1) == batch.messages.size
    done = turn(root) { handle(root) }
    slot.held = slot.load["retry"] && !root.error.nil?
    keep(done, slot.held ? 0 : 1, 1)
    @todo.reject! { |other| other.slot == slot } if slot.held
    commit if announce || slot.held
  end

  def handle(call)
    raise call.message if call.message.is_a?(Flow::DataError)
    call.message = Flow.message(call.message) if call.fused
    value = call.slot.code.run(call.message, call)
    value.is_a?(Enumerator) ? value.each { |item| call.send("out", item) } : call.send("out", value)
  end

  # The root, then everything fused behind it, depth-first. Returns the calls that stand; of a failed one, its error.
  def turn(root)
    stack, done, size = [root], [], 0
    @begun ||= clock
    while (call = stack.pop)
      started, @current = clock, call.slot.number
      begin
        call.equal?(root) ? yield : handle(call)
        raise Flow::TurnTooLarge, "with what is fused" if (size += call.size) > root.slot.load["max_turn_bytes"]
        stack.concat(stand(call).reverse)
      rescue Exception => error
        raise if error.is_a?(SignalException)
        done, stack, call = done.reverse_each(&:undo).clear, [], root if error.is_a?(Flow::TurnTooLarge)
        call.error = error
      end
      call.busy_us = clock - started
      done << call
    end
    done
  end

  def stand(call) # applies its changes, sorts its sends; returns the calls fused behind
    call.apply.sends.each_with_index.flat_map do |(port, data, headers), index|
      id, out = "#{call.message_id}/#{call.module_id}.#{index}", call.slot.wires["out"][port]
      call.outputs << [out && (out["channel"] || true), data, out && out["ids"] ? headers.merge("id" => id) : headers]
      out.to_h.fetch("fused", []).map do |number, target, _|
        Flow::Context.new(@slots[number], target, id, call.number, headers, data, fused: true)
      end
    end
  end

  def keep(done, consumed, handled) # in the transaction
    done.each do |call|
      row = @rows[call.slot.number] ||= [call.slot.number] + [0] * 8
      [[2, call.fused ? 1 : handled], [7, call.busy_us], [8, call.fused ? 1 : 0]].each { |at, n| row[at] += n }
      @size += call.size
      next keep_error(call, row) if call.error
      call.changes.each { |key, data| @changes[[call.slot.number, key]] = data }
      call.outputs.each do |channel, data, headers|
        row[channel ? 5 : 6] += 1
        (@outputs[channel] ||= []) << [data, headers.empty? ? "null" : JSON.generate(headers)] if channel.is_a?(Integer)
      end
    end
    @rows[done[0].slot.number][1] += consumed
  end

  def keep_error(call, row)
    row[3] += 1
    info = JSON.generate(error: describe(call.error, call.slot.load["name"]), port: call.port, id: call.message_id,
                         headers: call.own_headers.empty? ? nil : call.own_headers)
    message = call.fused ? (Flow.encode(call.message) rescue "null") : ""
    place = call.fused ? NO_INDEX : row[1]
    @errors << [ERROR, row[0], info + message, call.slot.held ? HELD : 0, info.bytesize, place, call.number]
  end

  def commit
    @outputs.each do |channel, messages|
      data, headers = messages.transpose.map { |texts| "[#{texts.join(",\n")}]" }
      with = messages.any? { |_, one| one != "null" }
      frame(DATA, channel, with ? "[#{headers},\n\n#{data}]" : data, with ? HEADERS : 0, 0, messages.size)
    end
    @changes.each { |(slot, key), data| frame(CONTEXT, slot, key + data.to_s, data ? 0 : DELETED, key.bytesize) }
    @errors.each { |error| frame(*error) }
    frame(COMMIT, 0, JSON.generate(@rows.values)) unless @rows.empty?
    clear
    true
  end

  def describe(error, file)
    line = error.backtrace_locations&.find { |location| location.path == file }&.lineno
    line = error.message[/\A[^\n]*?:(\d+): /, 1]&.to_i if error.is_a?(SyntaxError)
    type = error.is_a?(Flow::DataError) ? "DataError" : error.class.name.split("::").last
    { type: type, message: error.message.scrub, file: line && file, line: line,
      stack: error.backtrace&.first(20)&.join("\n")&.scrub }.compact
  end
end

Host.new(*ARGV.last(2)).run
