import sys

from bounds.commands.main import main

sys.exit(main())
