"""`python -m clnet` is `clnet`."""

import sys

from clnet.cli import main

sys.exit(main())
