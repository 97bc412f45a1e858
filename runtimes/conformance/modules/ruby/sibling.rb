require_relative "helper"

def run(message, _context) = [message, NAME]
