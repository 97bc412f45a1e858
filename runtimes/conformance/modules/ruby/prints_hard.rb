def run(message, _context)
  print "caf\xe9 ", "\xff".b, "\u00e9".encode("UTF-16LE"), "\n"
  puts "x" * 3_000_000
  $stdout << "y" * 3_000_000
  Thread.new { 100.times { |n| puts "from a thread #{n}" } }
  100.times { |n| puts "beside it #{n}" }
  before, $stdout = $stdout, StringIO.new
  puts "nobody sees this"
  $stdout = STDOUT
  puts "to the process's own output"
  $stdout = before
  $stdout.putc("z")
  $stdout.sync = true
  $stdout.printf("%d\n", 1)
  puts "the last"
  message
end
