"""`python -m consolidate`."""

import sys

from consolidate.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
