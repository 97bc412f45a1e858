def run(_message, _context) = nil
