def run(message, context)
  Enumerator.new do |results|
    results << [message, 0]
    context.send("side", message)
    raise "no bad messages" if message == "bad"
    results << [message, 1] << [message, 2]
  end
end
