"""Rules of an import: what statuses and losses of zero mean, and the step that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.questions import Questions
from sweep.metrics.metric import Direction
from sweep.store.states import RunState
from sweep.terminal.printable import shown

SKIP = "skip"
"""In `--status WORD=skip`: rows with this status are left out."""
NOT_ENDED = RunState.CANCELLED
"""The state of a run that had not ended when the file was exported: it has no result yet.

A running run belongs to a scheduler, so an imported one must not have that state.
"""
MEANINGS: Mapping[str, RunState | None] = {
    "done": RunState.DONE,
    "failed": RunState.FAILED,
    "diverged": RunState.DIVERGED,
    "running": NOT_ENDED,
    SKIP: None,
}
"""By word of the command line: the state that a status stands for; None leaves the row out."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How the rows of a file are to be understood."""

    statuses: Mapping[str, RunState | None] = field(default_factory=dict)
    """By status as `normal_word` gives it; None leaves the row out. Known words can be given too."""
    zero_loss: RunState | None = None
    """The state of a run with a loss of exactly 0; None asks if it looks like a crash."""
    negative_loss: RunState | None = None
    """The state of a run with a loss below 0; None asks if it looks like a crash."""
    large_loss: RunState | None = None
    """The state of a run with a loss far above all others; None asks about it."""
    where: Sequence[str] = ()
    """Conditions on rows, as `--where` has them: `tag=val/loss`."""
    at_step: float | None = None
    """The step that counts; None takes the last one of each run."""
    replace: bool = False
    """True if runs that had ended get the results of the file."""
    reruns: bool = False
    """True if later rows of the same arm and seeds are exact reruns."""
    direction: Direction = Direction.MINIMIZE
    """The direction in which the metric improves. If higher is better, 0 is not suspect."""
    is_direction_given: bool = False
    """True if an option or an earlier import says the direction."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A file that is being read: its name in messages, its questions, and the rules."""

    source: str
    questions: Questions = field(default_factory=Questions)
    rules: Rules = field(default_factory=Rules)
    known_arms: Sequence[str] = ()
    """Arms that the study has already."""


def normal_word(status: str) -> str:
    """Return a status in lower case, with `_` for blanks, and without the name of its class.

    `TrialState.FAIL` becomes `fail`, `OUT OF MEMORY` becomes `out_of_memory`, and Slurm's
    `CANCELLED by 1000` and `CANCELLED+` become `cancelled`.
    """
    word = status.strip().lower().rpartition(".")[2].partition(" by ")[0].rstrip("+")
    return word.replace(" ", "_").replace("-", "_")


def parse_rules(
    statuses: list[str],
    where: list[str],
    losses: Mapping[str, str | None],
    at_step: float | None,
    *,
    replace: bool = False,
    reruns: bool = False,
) -> Rules:
    """Make rules of the words of the command line. Raises ResultsError.

    `losses` are the meanings of `zero_loss`, `negative_loss` and `large_loss`.
    """
    for word in where:
        if not word.partition("=")[0].strip() or "=" not in word:
            raise ResultsError(
                f"--where {shown(word)}: write COLUMN=VALUE, such as --where tag=val/loss"
            )
    states = {name: MEANINGS[word] for name, word in losses.items() if word}
    return Rules(
        statuses=parse_statuses(statuses),
        where=where,
        at_step=at_step,
        replace=replace,
        reruns=reruns,
        zero_loss=states.get("zero_loss"),
        negative_loss=states.get("negative_loss"),
        large_loss=states.get("large_loss"),
    )


def parse_statuses(words: list[str]) -> dict[str, RunState | None]:
    """Parse `["TERMINATED=done"]`, as in `--status`. Raises ResultsError."""
    found: dict[str, RunState | None] = {}
    for text in words:
        status, equals, meaning = text.rpartition("=")
        if not equals or not status.strip() or meaning not in MEANINGS:
            raise ResultsError(
                f"--status {shown(text)}: write WORD=MEANING, a status of the file and one of "
                f"{', '.join(MEANINGS)}{did_you_mean(meaning, MEANINGS)}"
            )
        word, state = normal_word(status), MEANINGS[meaning]
        if found.setdefault(word, state) != state:
            raise ResultsError(f"--status gives {shown(status)} two meanings; give it one")
    return found
