"""What a module does that another program starts: a request in, errors out as sentences."""

from __future__ import annotations

import sys
from collections.abc import Callable

from trainer.errors import UserError

EXIT_REFUSED = 2
"""The last line on standard error is a sentence for people."""


def answer(work: Callable[[bytes], None]) -> int:
    """Work on the request on standard input; the exit status.

    Anything but a UserError is a bug, and leaves its traceback to whoever started the process.
    """
    try:
        work(sys.stdin.buffer.read())
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201  (for whoever started this)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    return 0
