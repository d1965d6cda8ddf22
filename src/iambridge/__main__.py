import sys

from iambridge.cli.main import main

sys.exit(main())
