def run(message, _context) = message.equal?(Flow::NULL)
