def self.prepare
  raise "cannot load" # HERE
end

def run(message, _context) = message

prepare
