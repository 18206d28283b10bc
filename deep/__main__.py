import sys

from deep.cli import main

sys.exit(main())
