"""The protocol of modules that another program starts: a request in, errors out as messages."""

from __future__ import annotations

import sys
from collections.abc import Callable

from trainer.errors import UserError

EXIT_REFUSED = 2
"""Exit status if the last line on standard error is a message for people."""


def answer(work: Callable[[bytes], None]) -> int:
    """Call `work` with the request from standard input; returns the exit status.

    A UserError is printed as a message. Any other exception is a bug and leaves its traceback.
    """
    try:
        work(sys.stdin.buffer.read())
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201  (for the parent process)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has closed the pipe
        sys.stderr.close()
        return 0
    return 0
