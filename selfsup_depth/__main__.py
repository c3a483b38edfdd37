"""`python -m selfsup_depth` is the command `selfsup-depth`."""

import sys

from selfsup_depth.cli import main

sys.exit(main())
