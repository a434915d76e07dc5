"""Ctrl-C, known for what it is wherever it strikes.

A library that runs C code sees the signal there, and raises what it likes: DuckDB makes of it a RuntimeError, Splink and
our own words wrap that again. What they all keep is where the error came from.
"""

import signal
import sys
import threading

INTERRUPTED = "Interrupted. What was finished is kept; run the same command again to go on."
_SOON = 0.01


def is_interruption(error: BaseException | None) -> bool:
    """True for an error that began as a KeyboardInterrupt, however often it was raised anew since."""
    seen = set[int]()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if isinstance(error, KeyboardInterrupt):
            return True
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            waiting += [error.__cause__, error.__context__]
    return False


def forget_interruption() -> None:
    """Let the exit code be the one that is given.

    Python notes a KeyboardInterrupt that left a text it ran (every dataclass is made by one) and, started with ``-m``, ends
    by the signal for it, even where it was caught since. Running another text takes the note back: `run_eval_code_obj` in
    CPython's ``pythonrun.c``.
    """
    exec("")


def heed_in_destructors() -> None:
    """See to it that an interruption inside a destructor ends the command, too.

    Python only prints an error that strikes there ("Exception ignored in ...") and goes on, and Ctrl-C would be lost.
    """
    otherwise = sys.unraisablehook

    def heed(unraisable: "sys.UnraisableHookArgs") -> None:
        is_ours = threading.current_thread() is threading.main_thread()
        if is_ours and issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Raised in here it would be lost as well: Python only prints what leaves this function. Where it strikes in a
            # destructor again, this is called again.
            threading.Timer(_SOON, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
        else:
            otherwise(unraisable)

    sys.unraisablehook = heed
