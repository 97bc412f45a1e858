# The host of Ruby modules (runtimes/PROTOCOL.md): one loop reads frames, runs turns and commits them.
require_relative "slot"
require_relative "failure"
require_relative "prints"

Encoding.default_external = Encoding::UTF_8 # whatever the locale

class Host
  HEADER, BODY_BYTES, FUSED_BYTES, OUTPUT_BYTES, WORK_US = "L<CCS<L<L<Q<", 64 << 20, 64 << 20, 64 << 10, 5_000
  DATA, HELLO, CONTEXT, ERROR, LOG, TURN, COMMIT, PAUSED, RESULT, PONG = 4, *16..23, 25
  HEADERS, ANNOUNCE, DELETED, HELD, NO_INDEX, ALL_SLOTS = 2, 4, 8, 16, 0xffffffff, 65535
  CONSUMED, FUSED, HOOK = [1, 1, 0], [0, 1, 1], [0, 0, 0] # what a call counts as in COMMIT: consumed, handled, fused

  def initialize(input, output)
    @in, @out, @slots, @todo, @lock = File.open(input, "rb"), File.open(output, "wb"), {}, [], Mutex.new
    @out.sync = true
    clear
    $stdout, $stderr = @prints = [Prints.new(self, "info", STDOUT), Prints.new(self, "error", STDERR)]
    frame(HELLO, 0, JSON.generate(protocol: 1, runtime: "ruby", version: RUBY_VERSION, pid: $$))
  end

  def run
    loop do
      commit if (due = @size >= OUTPUT_BYTES || @now - @begun >= WORK_US)
      look if due || @todo.empty?
      step(@todo[0]) unless @todo.empty?
    end
  end

  attr_reader :is_left # by a forked child, which keeps away from the link
  attr_writer :is_unfinished # a line that was printed

  def leave
    [@in, @out].each(&:close)
    $stdout, $stderr, @is_left = STDOUT, STDERR, true
    STDOUT.sync = true
  end

  def log(level, text)
    return STDERR.puts(Flow.shown(text)) if @is_left
    body = JSON.generate(level: Flow.shown(level), text: Flow.shown(text))
    Thread.handle_interrupt(Object => :never) { frame(LOG, @slots.key?(@current) ? @current : ALL_SLOTS, body) } # not even by Timeout
  rescue ThreadError # in a signal handler
    STDERR.puts(Flow.shown(text))
  end

  private

  def clock = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)

  def clear
    @outputs, @changes, @errors, @rows, @size = {}, {}, [], {}, 0
    @begun = @now = clock
  end

  def frame(kind, slot = 0, body = "", flags = 0, skip = 0, count = 0, first = 0)
    @lock.synchronize { @out.write([body.bytesize, kind, flags, slot, skip, count, first].pack(HEADER), body) }
  end

  def look # at the input; waits for it when there is nothing to do
    commit && IO.select([@in]) && clear if @todo.empty? && !IO.select([@in], nil, nil, 0)
    while IO.select([@in], nil, nil, 0)
      size, kind, *fields = (@in.read(24) || exit!(1)).unpack(HEADER)
      exit!(3) if size > BODY_BYTES || !kind.between?(1, 9)
      take(kind, @in.read(size), *fields)
    end
  end

  def take(kind, body, flags, number, skip, count, first) # everything but DATA is done at once, between two turns
    slot = @slots[number]
    case kind
    when 1 then result(number, first, load(number, Flow.decode(body, 1000)))
    when 2
      unload(slot)
      result(number, first, ok: true)
    when 3 then slot.wire(Flow.decode(body))
    when DATA then queue(body, flags, number.to_s, skip, count, first)
    when 6 then pause(number == ALL_SLOTS ? @slots.values : [slot].compact) && frame(PAUSED, number, "", 0, 0, 0, first)
    when 7 then result(number, first, call(slot, Flow.decode(body, 1000)))
    when 8 then commit && exit!(0)
    when 9 then frame(PONG, 0, "", 0, 0, 0, first)
    end # 5, PULL: there are no sources
  end

  def result(number, request, body) = commit && frame(RESULT, number, JSON.generate(body), 0, 0, 0, request)

  def load(number, body)
    @current = number
    slot = @slots[number] = Flow::Slot.new(self, number, body)
    slot.run
    { ok: true, hooks: %w[start stop migrate].select { |hook| slot.code.respond_to?(hook) } }
  rescue Exception => error
    raise if fatal?(error)
    finish_prints
    @slots.delete(number)&.unload
    { ok: false, error: Flow::Failure.of(error, slot) }
  end

  def unload(slot) = pause([slot].compact) && (slot.nil? || @slots.delete(slot.number).unload)

  def pause(slots)
    slots.each { |slot| slot.held = false }
    @todo.reject! { |batch| slots.include?(batch.slot) }
    commit
  end

  def call(slot, body)
    commit
    slot.restore(body["context"]) if body.key?("context")
    return { ok: true } unless slot.code.respond_to?(hook = body["hook"])
    batch = Flow::Batch.new(slot, hook, HOOK, "#{slot.load["module"]}.#{hook}", [nil], nil, nil, 0, 0)
    root = Flow::Context.new(batch, 0)
    done = turn(root) do
      value = slot.code.public_send(hook, root, *body["from_version"])
      raise NotImplementedError, "Ruby modules cannot be sources" if Enumerator === value
    end
    return { ok: false, error: Flow::Failure.of(root.error, slot, slot.function(hook)) } if root.error
    done.each { |one| keep(one) }
    { ok: true, source: false }
  end

  def queue(body, flags, channel, skip, count, first)
    slot = @slots.each_value.find { |one| one.in.key?(channel) }
    return if slot.held
    if flags & HEADERS != 0
      cut = body.index(",\n\n")
      headers, body = Flow.decode(body[1...cut])[skip, count], body[cut + 3...-1]
      ids = headers.map { |one| one&.delete("id") }
    end
    begin
      messages = Flow.decode(body, Flow::DEPTH + 1)[skip, count]
    rescue Flow::DataError # each for itself
      messages = body[1...-1].split(",\n", -1)[skip, count].map { |text| Flow.decode(text) rescue $! }
    end
    port, wire = slot.in[channel]
    @todo << Flow::Batch.new(slot, port, CONSUMED, wire, messages, ids, headers, first, flags, 0)
  end

  def step(batch)
    root, slot = Flow::Context.new(batch, batch.done), batch.slot
    announce = batch.flags & ANNOUNCE != 0
    commit && frame(TURN, slot.number, "", 0, 0, 0, root.number) if announce
    @todo.shift if (batch.done += 1) == batch.messages.size
    done = turn(root)
    slot.held = slot.retry && !root.error.nil?
    done.each { |call| keep(call) }
    @todo.reject! { |other| other.slot == slot } if slot.held
    commit if announce || slot.held
  end

  def handle(call)
    message = call.message
    raise message if message.is_a?(Flow::DataError)
    value = call.slot.code.run(message.nil? ? Flow::NULL : message, call)
    Enumerator === value ? value.each { |item| call.send("out", item) } : call.send("out", value)
  end

  # The root, then everything fused behind it, depth-first. Returns the calls that stand; of a failed one, its error.
  def turn(root)
    stack, done, size = [root], [], 0
    while (call = stack.pop)
      started, @current = clock, call.slot.number
      begin
        block_given? && call.equal?(root) ? yield : handle(call)
        come_back if @is_left
        call.check # a send that was too large may not have minded
        call.slot.put(call.changes) unless call.changes.empty?
        stack.concat(fused(call).reverse) if call.slot.fuses
      rescue Exception => error
        raise if fatal?(error)
        call.fail(error)
      end
      finish_prints if @is_unfinished
      call.busy_us = (@now = clock) - started
      done << call
      give_up(size) if (size += call.size) > FUSED_BYTES && !call.equal?(root)
    end
    done
  end

  # What a message has set off by way of fused wires is too much for one transaction, though each call is within its
  # limit: the process ends, and the runner has the message done again, one module at a time.
  def give_up(size)
    STDERR.puts("#{size} bytes behind one message by way of fused wires: it is done again unfused")
    exit!(4)
  end

  def fused(call) # the calls behind it
    call.sends.each_with_index.flat_map do |(port, data, headers), index|
      (call.slot.out[port]&.fused || []).map do |number, target, _|
        one = [[Flow.decode(data)], [call.output_id(index)], [headers.except("id")]]
        batch = Flow::Batch.new(@slots[number], target, FUSED, nil, *one, call.number, call.batch.flags, 0, data)
        Flow::Context.new(batch, 0)
      end
    end
  end

  def keep(call) # in the transaction
    slot = call.slot
    row = @rows[slot.number] ||= [slot.number] + [0] * 8
    consumed, handled, fused = call.batch.counts
    keep_error(call, row) if call.error
    row[1] += consumed unless slot.held
    row[2] += handled
    row[7] += call.busy_us
    row[8] += fused
    @size += call.size
    call.changes.each { |key, data| @changes[[slot.number, key]] = data }
    call.sends.each do |send|
      out = slot.out[send[0]]
      row[out ? 5 : 6] += 1
      (@outputs[out.channel] ||= []) << send if out&.channel
    end
  end

  def keep_error(call, row)
    row[3] += 1
    text, headers = call.batch.text, call.headers # a fused message, as it was sent; the runner has the others
    handler = call.slot.function(:run) unless Flow::DataError === call.message # it was not called
    error = Flow::Failure.of(call.error, call.slot, handler)
    info = JSON.generate(error: error, port: call.port, id: call.message_id, headers: headers.empty? ? nil : headers)
    place = text ? NO_INDEX : row[1]
    @errors << [ERROR, row[0], "#{info}#{text}", call.slot.held ? HELD : 0, info.bytesize, place, call.number]
  end

  def commit
    @outputs.each do |channel, messages|
      _, texts, headers = messages.transpose
      body = "[#{texts.join(",\n")}]"
      next frame(DATA, channel, body, 0, 0, texts.size) if headers.all?(&:empty?)
      headers.map! { |one| one.empty? ? "null" : JSON.generate(one) }
      frame(DATA, channel, "[[#{headers.join(",\n")}],\n\n#{body}]", HEADERS, 0, texts.size)
    end
    @changes.each { |(slot, key), data| frame(CONTEXT, slot, key + data.to_s, data ? 0 : DELETED, key.bytesize) }
    @errors.each { |error| frame(*error) }
    frame(COMMIT, 0, JSON.generate(@rows.values)) unless @rows.empty?
    clear
    true
  end

  def fatal?(error) = @is_left || error.is_a?(SignalException)

  def come_back
    STDERR.puts("a forked child has come back from #{@slots[@current].load["module"]}: it ends here")
    exit
  end

  def finish_prints
    @is_unfinished = false
    @prints.each(&:finish)
  end
end

Process.singleton_class.prepend(Module.new { def _fork = super.tap { |pid| HOST.leave if pid.zero? } })
HOST = Host.new(*ARGV.last(2))
HOST.run
