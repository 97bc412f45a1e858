# $stdout and $stderr of modules: each line becomes a LOG frame of the slot that runs.
require "stringio"
require_relative "values"

class Prints < StringIO # has all that an IO has
  attr_reader :to_io

  def initialize(host, level, io)
    super()
    @host, @level, @to_io, @held = host, level, io, "".b
  end

  def write(*parts)
    return @to_io.write(*parts) if @host.is_left # a forked child is not the host
    text = parts.map { |part| Flow.octets(part) }.join
    *lines, rest = text.split("\n", -1)
    lines.each { |line| finish(line) }
    finish if @held.concat(rest || "").bytesize > Flow::SHOWN_BYTES
    @host.is_unfinished = true
    text.bytesize
  end

  def finish(line = "")
    text, @held = @held + line, "".b
    @host.log(@level, text) unless text.empty?
  end

  def fileno = to_io.fileno
  def putc(char) = write(char.is_a?(Integer) ? (char & 255).chr : char.to_s[0]) && char
  def flush = finish && self
  def close = flush && nil
end
