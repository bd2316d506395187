"""What the tests of the planning share."""

from __future__ import annotations

import sys
from pathlib import Path

FAKES = str(Path(__file__).parents[1] / "fakes")
if FAKES not in sys.path:  # the import mode of the tests puts no folder on the path
    sys.path.append(FAKES)
