"""Propose the metric of a script: the best of the numbers that it prints or writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.drafting.printed import Field, Printed, printed_texts
from sweep.metrics.metric import Direction
from sweep.metrics.names import direction_of_name, words_of_name
from sweep.study.local_modules import parse

NUMBER = r"[-+\w.]+"
"""Matches a number, and also nan and inf, which count as diverged."""
_STRICT_NUMBER = r"nan|[-+]?(?:inf|\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
"""Matches a number that a full stop, letter or sign follows."""
_SPLITS = {
    **dict.fromkeys(("test", "final", "heldout"), 4.0),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), 3.0),
    **dict.fromkeys(("train", "training", "batch", "running"), 0.0),
}
"""Worth of a metric by a word of its name; 2 without such a word."""
_BESIDE = frozenset(
    {
        *("seconds", "time", "memory", "vram", "latency", "runtime", "mfu", "hfu", "speed", "cost"),
        *("throughput", "flops", "tflops", "tps", "lr", "sec", "second", "tok", "toks", "tokens"),
    }
)
"""Words of metrics that are no measure of how well a model learnt."""
_STEPS = frozenset({"step", "steps", "iter", "iteration", "epoch", "it", "update", "round"})
_NAME = re.compile(r"\w[\w.+-]*")
_SEPARATORS = " \t\r,;|:-—–>#*="
_MAX_WORDS = 4


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A metric, and how it is read."""

    name: str
    direction: Direction
    worth: float
    source: Mapping[str, str]
    """As in a study file; empty if the script writes it to `$SWEEP_RESULT`."""
    place: str
    """Where the script prints or writes it: `train.py, line 12`; empty for a guess."""


def propose_metric(files: Sequence[Path], folder: Path) -> Proposal:
    """The best metric that these files print or write; a guess if there is none."""
    found: list[Proposal] = []
    for path in files:
        if tree := parse(path):
            name = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
            text = ast.unparse(tree)
            found += _printed(tree, name)
            found += _json(tree, name, writes_result="SWEEP_RESULT" in text)
            if "transformers" in text:
                found += _trainer(tree, name)
    guess = Proposal(
        name="loss",
        direction=Direction.MINIMIZE,
        worth=0,
        source={"regex": rf"loss\W+(?P<value>{NUMBER})"},
        place="",
    )
    return max(found, key=lambda each: each.worth, default=guess)


def _printed(tree: ast.Module, file: str) -> Iterator[Proposal]:
    """Metrics in the texts that a file prints."""
    for line, pieces in printed_texts(tree):
        step = _step_expression(pieces)
        for position, piece in enumerate(pieces):
            if isinstance(piece, Field) and (label := _label(pieces[:position])):
                expression = _expression(label, piece, pieces[position + 1 :])
                source = {"regex": expression, **({"step_regex": step} if step else {})}
                yield from _proposed(label, source, f"{file}, line {line}")


def _proposed(
    label: str, source: Mapping[str, str], place: str, name: str | None = None
) -> Iterator[Proposal]:
    """The metric that a label means, if it means one."""
    words = words_of_name(label)
    direction = direction_of_name(label)
    if direction is None or not _BESIDE.isdisjoint(words):
        return
    worth = next((_SPLITS[word] for word in words if word in _SPLITS), 2.0)
    worth -= 0.5 if direction is Direction.MAXIMIZE else 0.0
    worth -= 1.0 if "best" in words else 0.0
    name = name or "_".join(words[-_MAX_WORDS:])
    yield Proposal(name=name, direction=direction, worth=worth, source=source, place=place)


def _label(before: Printed) -> str:
    """The text between a field and the one before it, in its line, without separators."""
    literal = ""
    for piece in reversed(before):
        if isinstance(piece, Field):
            break
        literal = piece + literal
    line = literal.rpartition("\n")[2]
    return re.split(r"[,;|]\s", line)[-1].lstrip(_SEPARATORS + "%)]}")


def _expression(label: str, field: Field, after: Printed) -> str:
    """The regular expression that finds a field behind its label."""
    following = after[0] if after and isinstance(after[0], str) else ""
    number = _STRICT_NUMBER if re.match(NUMBER, following) else NUMBER
    gap = r"\s*" if field.may_be_padded and not label.endswith(" ") else ""
    return f"{escaped(label, padded=field.may_be_padded)}{gap}(?P<value>{number})"


def escaped(label: str, *, padded: bool = False) -> str:
    """A text as a regular expression that people can read."""
    text = re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", label)
    return re.sub(r"\s+$", r"\\s+", text) if padded else text


def _step_expression(pieces: Printed) -> str:
    """The regular expression that finds the step in a printed text; empty if it has none."""
    for position, piece in enumerate(pieces):
        if isinstance(piece, Field) and (label := _label(pieces[:position])):
            words = words_of_name(label)
            if words and words[-1] in _STEPS:
                padded = piece.may_be_padded
                return rf"{escaped(label, padded=padded)}(?P<step>\d+)"
    return ""


def _json(tree: ast.Module, file: str, *, writes_result: bool) -> Iterator[Proposal]:
    """Metrics in dictionaries that a file prints or writes as JSON, or prints as they are."""
    dictionaries = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Name):
                argument = dictionaries.get(argument.id, argument)
            if isinstance(argument, ast.Dict):
                yield from _of_dictionary(node, argument, file, writes_result=writes_result)


def _of_dictionary(
    call: ast.Call, content: ast.Dict, file: str, *, writes_result: bool
) -> Iterator[Proposal]:
    called = ast.unparse(call.func)
    names = [each.value for each in content.keys if isinstance(each, ast.Constant)]
    for name in (each for each in names if isinstance(each, str)):
        if writes_result and called.endswith(("dump", "dumps")) and _NAME.fullmatch(name):
            yield from _proposed(name, {}, f"{file}, line {call.lineno}", name)
            continue
        if called.endswith("dumps"):
            source = {"line": name}
        elif called == "print":
            source = {"regex": rf"{escaped(repr(name))}: (?P<value>{NUMBER})"}
        else:
            continue
        yield from _proposed(name, source, f"{file}, line {call.lineno}")


def _trainer(tree: ast.Module, file: str) -> Iterator[Proposal]:
    """The loss that the Trainer of Hugging Face prints when it evaluates."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "evaluate":
            source = {"regex": rf"'eval_loss': '?(?P<value>{NUMBER})"}
            yield from _proposed("eval_loss", source, f"{file}, line {node.lineno}")
