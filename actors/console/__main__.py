"""`python -m actors.console` is the command `runner`."""

import sys

from actors.console.cli import main

sys.exit(main())
