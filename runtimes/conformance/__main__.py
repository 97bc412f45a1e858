"""`python -m runtimes.conformance RUNTIME`, what `runner conformance` is without the runner."""

import sys

from runtimes.conformance import main

sys.exit(main(sys.argv[1:]))
