def other(message, _context) = message
