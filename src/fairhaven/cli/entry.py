"""The way in and out of the command line: interrupted, it says so in words (and as JSON where asked), not in a traceback.

Little is imported before that holds: a second goes by until the tree of commands is there.
"""

import gc
import os
import signal
import sys
from contextlib import suppress

from fairhaven.kernel.interruption import forget_interruption, heed_in_destructors, is_interruption

_OBJECTS = 50_000
"""So many more are made before Python looks which of them refer to one another and to nothing else; it looks at 700 otherwise."""


def main() -> None:
    """Run the command line."""
    # Ended by another process, it ends as by Ctrl-C: half-written files are taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heed_in_destructors()
    # What is imported stays: to look through it again and again for what may go is a twentieth of a short command.
    gc.set_threshold(_OBJECTS)
    try:
        try:
            from fairhaven.cli.app import run

            code = run(sys.argv[1:])
        finally:
            # What is left to do is done in a moment, and an impatient second Ctrl-C would only leave files behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except BaseException as error:
        if not is_interruption(error):
            raise
        from fairhaven.cli.refusals import refuse

        code = refuse(error, as_json="--json" in sys.argv)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        # Not through the interpreter's end: over a library that was cut off while it was loaded that can crash.
        os._exit(code)
    forget_interruption()
    sys.exit(code)
