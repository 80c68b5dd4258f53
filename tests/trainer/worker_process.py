"""Makes one attempt at a run as the node's side of an engine does.

`python -m tests.trainer.worker_process ORDER`: the order as JSON. Prints the end, also as JSON; on a
further node of a run, what the run prints there.
"""

from __future__ import annotations

import contextlib
import sys

from trainer.processes.worker import Order, carry_out, exit_status, join_in
from trainer.rundir.attempt_end import write_end
from trainer.rundir.directory import RunDirectory

if __name__ == "__main__":
    order = Order.model_validate_json(sys.argv[1])
    if order.group and order.group.rank:
        sys.exit(join_in(order))
    end = carry_out(order)
    with contextlib.suppress(OSError):  # the folder of the run is not there
        write_end(RunDirectory(order.directory), end)
    sys.stdout.write(end.model_dump_json())
    sys.exit(exit_status(end))
