def run(message, _context)
  case message
  when "bytes" then [0, 1, 255].pack("C*")
  when "object" then { "$bytes" => "AAH/" }
  when "escaped" then { "$$bytes" => "AAH/" }
  else [message.bytesize, message.getbyte(-1)]
  end
end
