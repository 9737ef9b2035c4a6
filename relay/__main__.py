"""`python -m relay`."""

import signal
import sys

# Until a command says otherwise, Ctrl-C ends it quietly, also while Python still reads our files.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from relay.cli import main  # noqa: E402 - as said above

if __name__ == "__main__":
    sys.exit(main())
