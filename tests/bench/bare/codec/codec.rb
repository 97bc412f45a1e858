# Decode, identity, encode with the json library; prints the microseconds of processor time a message.
require "json"

def run(message) = message

def encoded(data)
  messages = JSON.parse(data.dup.force_encoding("UTF-8"))
  messages.map { |message| JSON.generate(run(message)) }.join(",\n")
end

data = $stdin.binmode.read
rounds = Integer(ARGV[0])
count = JSON.parse(data).size
(rounds / 4).times { encoded(data) }
begun = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
rounds.times { encoded(data) }
puts (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - begun) * 1e6 / (rounds * count)
