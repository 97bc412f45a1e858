"""Wires that lead from one runner to another: the links, what travels on them, and their two ends."""

import logging

# Here, since this is imported in any case: of a logger that is made after its fork, Thespian makes another thing.
log = logging.getLogger("runner.link")
