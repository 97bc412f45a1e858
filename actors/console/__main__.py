"""`python -m actors.console`: the command `runner` where it is not installed."""

import sys

from actors.console.start import main

sys.exit(main())
