"""Takes what is posted to port 9000 and prints it, once: `python3 receiver.py`."""

import hashlib
import hmac
from http.server import BaseHTTPRequestHandler, HTTPServer

seen = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = "sha256=" + hmac.new(b"sesame", body, hashlib.sha256).hexdigest()
        status = 204 if hmac.compare_digest(signed, self.headers.get("x-signature-256", "")) else 403
        if status == 204 and self.headers["ce-id"] not in seen:
            seen.add(self.headers["ce-id"])
            print(body.decode(), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
