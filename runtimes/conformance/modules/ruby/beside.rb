def text(name) = File.binread(File.join(__dir__, name)).force_encoding("UTF-8")

TABLE = text("table.json")

def run(_message, _context) = [TABLE, text("deep/down/words.txt")]
