def run(message, context)
  context.set("n", message == "nan" ? Float::NAN : "a\xED\xA0\x80b")
  message
end
