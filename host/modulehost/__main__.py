"""``python -m modulehost`` is ``modulehost``."""

import sys

from modulehost.cli import main

sys.exit(main())
