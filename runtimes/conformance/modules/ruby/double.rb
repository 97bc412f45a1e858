def run(message, _context) = message * 2
