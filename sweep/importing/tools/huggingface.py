"""The log history of Hugging Face's Trainer: a row per logging, of training or of an evaluation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sweep.errors import ResultsError, listed
from sweep.importing.fields import Field, recognise
from sweep.importing.tools.export import FILE, Asked, Export
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_ONLY_HERE = {"grad_norm", "train_runtime", "total_flos", "eval_runtime", "train_loss"}
_TEST_LOSS = re.compile(r"(eval|test)_(\w+_)?loss")


def read_log_history(frame: pd.DataFrame, asked: Asked) -> Export | None:
    """Recognise a log history. Raises ResultsError to ask which loss counts.

    `loss` is that of the training batches.
    """
    names = [str(name) for name in frame.columns if name != FILE]
    if not {"step", "epoch"} <= set(names) or _ONLY_HERE.isdisjoint(names):
        return None
    losses = [name for name in names if _TEST_LOSS.fullmatch(name)]
    tool = "a log of Hugging Face's Trainer"
    if Field.ARM in dict(recognise(names)):
        return None
    own = {Field.ARM: "run"} if "run" in names else {Field.RUN: FILE}
    if Field.LOSS in asked.columns:
        return Export(frame=frame, tool=tool, columns=own)
    if not losses and "loss" in names:
        raise ResultsError(
            f"{asked.source} is a log of Hugging Face's Trainer and has no eval_loss; its 'loss' is "
            "that of the training batches. To take that, add --column loss=loss"
        )
    if len(losses) > 1:
        raise ResultsError(
            f"{asked.source} is a log of Hugging Face's Trainer with the losses "
            f"{listed(map(shown, losses))}; choose one: --column loss={losses[0]}"
        )
    columns = {**own, Field.LOSS: losses[0]} if losses else own
    return Export(frame=frame, tool=tool, columns=columns)
