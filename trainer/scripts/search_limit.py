"""A limit on the time that regular expressions take for a block of output.

The time of an expression with nested repeats, such as `(a+)+$`, doubles with each character of a line.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from trainer.errors import CommandError

SEARCH_SECONDS = 10.0
"""Seconds of computing; a block takes some milliseconds."""


class _TooSlowError(Exception):
    """The time is over."""


@contextlib.contextmanager
def search_limit(patterns: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Raise CommandError, which names the expressions, if a search in this block takes too long.

    Python looks for signals while it matches. They reach its main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_SECONDS)
    try:
        yield
    except _TooSlowError:
        named = " or ".join(f"'{each}'" for each in dict.fromkeys(patterns()))
        raise CommandError(
            f"{SEARCH_SECONDS:g} s were not enough to search some lines of the output for {named}; "
            "simplify the expression under [metrics]: a repeat inside a repeat, such as (a+)+, takes "
            "forever on some lines"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(_number: int, _frame: object) -> NoReturn:
    raise _TooSlowError
