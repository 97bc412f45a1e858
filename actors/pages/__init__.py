"""The pages that have joined a flow: to the runner they are one host, whose messages go to and fro over sessions."""

import logging

log = logging.getLogger("runner.pages")
