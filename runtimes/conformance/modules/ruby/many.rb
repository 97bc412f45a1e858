def run(message, context)
  message.times { |i| context.send(i % 3 == 2 ? "b" : "out", i) }
  nil
end
