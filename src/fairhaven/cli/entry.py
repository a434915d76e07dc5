"""The way in and out of the command line: it ends in a line of words when it is interrupted, not in a traceback.

Little is imported before that holds: a second goes by until the tree of commands is there.
"""

import signal
import sys

from fairhaven.kernel.interruption import INTERRUPTED, heed_in_destructors, is_interruption


def main() -> None:
    """Run the command line."""
    # Told to end, it ends as by Ctrl-C: half-written files are taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heed_in_destructors()
    try:
        try:
            from fairhaven.cli.app import run

            sys.exit(run(sys.argv[1:]))
        finally:
            # What is left to do is done in a moment, and an impatient second Ctrl-C would only leave files behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except BaseException as error:
        if not is_interruption(error):
            raise
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(1)
