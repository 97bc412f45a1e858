# Hands on texts; a list of bytes it writes into every pipe it finds.
def run(message, _context)
  return message if message.is_a?(String)

  (3...64).each do |fd|
    io = IO.for_fd(fd, autoclose: false)
    IO.for_fd(fd, "wb", autoclose: false).syswrite(message.pack("C*")) if io.stat.pipe?
  rescue SystemCallError, ArgumentError, IOError
    next
  end
  "written"
end
