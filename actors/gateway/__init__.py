"""How browsers and programs elsewhere come in: HTTP and WebSocket, in the runner's own loop.

Imported only where a gateway is configured.
"""

import logging

log = logging.getLogger("runner.gateway")
