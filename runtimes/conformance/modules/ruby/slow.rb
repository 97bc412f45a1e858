def run(message, context)
  till = Process.clock_gettime(Process::CLOCK_MONOTONIC) + context.config["ms"] / 1000.0
  nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < till
  message
end
