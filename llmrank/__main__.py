"""`llmrank`, and `python -m llmrank`."""

import signal
import sys

# Until `main` handles it, Ctrl-C ends the process without a traceback: there is nothing to save. A process that
# multiprocessing spawns runs this too, and keeps its handler.
if "multiprocessing.spawn" not in sys.modules:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from llmrank.cli import main

if __name__ == "__main__":
    main()
