"""`make soak`: update one stack many times in a row, and see that nothing grows."""

from __future__ import annotations

import sys

from tests.soak.soak import soak

sys.exit(soak(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
