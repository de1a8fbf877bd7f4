"""`python -m cdpipe.perf`: the command `bottlenecks`."""

import sys

from cdpipe.perf.command import main

sys.exit(main())
