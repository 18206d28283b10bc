import sys

from tabular.commands.main import main

sys.exit(main())
