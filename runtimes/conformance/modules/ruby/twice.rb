def run(message, _context) = [message, message]
