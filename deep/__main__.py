import sys

from deep.commands.main import main

sys.exit(main())
