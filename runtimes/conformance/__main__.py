"""`python -m runtimes.conformance`."""

import sys

from runtimes.conformance import main

sys.exit(main(sys.argv[1:]))
