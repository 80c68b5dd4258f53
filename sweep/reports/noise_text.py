"""What `sweep noise` found, in words and tables."""

from __future__ import annotations

from typing import Any

from analysis.tables.table import Column, Row, number, probability, signed
from sweep.reports.document import Document, Table

SEEDS_SHOWN = (2, 3, 4, 5, 7, 10, 15, 20)
"""Of the 20 numbers of seeds that the JSON tells about."""


def _visible_column(seeds: int) -> Column:
    return Column(str(seeds), lambda row: number(row[str(seeds)]))


def _interval(row: dict[str, Any]) -> str:
    if row["ci_low"] is None:
        return ""
    high = "any" if row["ci_high"] is None else number(row["ci_high"])
    return f"{number(row['ci_low'])} to {high}"


VISIBLE_COLUMNS = [
    Column("seeds per arm", lambda row: str(row["title"]), "left"),
    *(_visible_column(seeds) for seeds in SEEDS_SHOWN),
]
COMPONENT_COLUMNS = [
    Column("stream", lambda row: str(row["stream"]), "left"),
    Column("seeds", lambda row: str(row["levels"] or "")),
    Column("sd", lambda row: number(row["sd"])),
    Column("95% interval", _interval),
    Column("share", lambda row: "" if row["share"] is None else f"{row['share']:.0%}"),
    Column("variance", lambda row: "" if row["variance"] is None else f"{row['variance']:+.2e}"),
    Column("F", lambda row: number(row["f"], 1)),
    Column("p", lambda row: probability(row["p"])),
]
PLACED_COLUMNS = [
    Column("arm", lambda row: str(row["arm"]), "left"),
    Column("one run", lambda row: number(row["loss"])),
    Column("difference", lambda row: signed(row["difference"])),
    Column("in sd", lambda row: signed(row["deviations"], digits=1)),
    Column("p", lambda row: probability(row["p"])),
    Column("p adj.", lambda row: probability(row["p_adjusted"])),
]
METHODS = {"moments": "method of moments", "REML": "REML"}
PLACED = (
    "One run of each arm against the baseline's seeds (prediction t): what a single run could "
    "have told."
)
PAIRED = "The study itself compares seed by seed: `sweep report`."


def noise_document(content: dict[str, Any]) -> Document:
    """All of it; as CSV the arms alone."""
    parts: list[str | Table] = [
        *noise_lines(content),
        Table(VISIBLE_COLUMNS, visible_rows(content)),
        *visible_lines(content),
    ]
    if content["components"]:
        parts.append(Table(COMPONENT_COLUMNS, component_rows(content)))
    parts += component_lines(content)
    if content["arms"]:
        pairs = content["paired_differences"]["arms"]
        parts += [Table(PLACED_COLUMNS, content["arms"]), f"{PLACED} {PAIRED}" if pairs else PLACED]
    return Document(content=content, records=content["arms"], parts=parts)


def noise_lines(content: dict[str, Any]) -> list[str]:
    """How large chance is, and whether it is the seeds'."""
    lines = [
        (
            f"{content['study']}: the baseline over {content['n']} seeds: "
            f"mean {content['mean']:.4f}, sd {content['sd']:.4f} "
            f"(95% interval {content['ci_low']:.4f} to {content['ci_high']:.4f})."
        ),
        _rerun_words(content["rerun"]),
    ]
    if content["n_diverged"]:
        lines.append(f"{content['n_diverged']} further seeds diverged and are in none of this.")
    return [*lines, _shape_words(content)]


def _rerun_words(rerun: dict[str, Any] | None) -> str:
    if rerun is None:
        return "No exact rerun: nobody knows what of this is the hardware's own noise."
    if rerun["identical"]:
        return "One seed run again: bit-identical, so all of this is the seeds."
    return f"One seed run again differs by {rerun['difference']:+.2e}: the hardware's own noise."


def _shape_words(content: dict[str, Any]) -> str:
    shape = content["normality"]
    if shape is None:
        return "Normal? Three seeds whose losses differ would have to be there to tell."
    words = f"Normal? The QQ plot's correlation is {shape['correlation']:.3f}"
    if shape["p"] is None:
        return f"{words}."
    finding = (
        "the losses are not normal, and intervals and p-values are rough"
        if shape["p"] < content["alpha"]
        else "nothing speaks against it"
    )
    few = f", and with {content['n']} seeds little could" if content["n"] < 20 else ""
    few = "" if shape["p"] < content["alpha"] else few
    return f"{words}, Shapiro-Wilk p {probability(shape['p'])}: {finding}{few}."


def visible_rows(content: dict[str, Any]) -> list[Row]:
    """A row for unpaired seeds and, where something is known of them, one for paired seeds."""
    effects = {row["seeds"]: row for row in content["smallest_visible_effect"]}
    kinds = ["unpaired", *(["paired"] if content["paired_differences"]["sd"] else [])]
    return [{"title": kind, **{str(n): effects[n][kind] for n in SEEDS_SHOWN}} for kind in kinds]


def visible_lines(content: dict[str, Any]) -> list[str]:
    """What the table of visible effects means."""
    paired = content["paired_differences"]
    unpaired = (
        f"Smallest effect seen with 80% power in one comparison at {content['alpha']:g}. One run "
        f"beside these {content['n']} sees {content['one_run_sees']:.4f}."
    )
    if paired["sd"] is None:
        return [unpaired, f"Paired seeds see more; how much is unknown: {paired['reason']}."]
    low, high = paired["arms"][0], paired["arms"][-1]
    steadiest, noisiest = (f"{arm['arm']} {arm['sd']:.4f}" for arm in (low, high))
    return [
        unpaired,
        (
            f"Paired: with the sd of {paired['arm']}'s differences, {paired['sd']:.4f}, the middle "
            f"of {len(paired['arms'])} arms' ({steadiest} to {noisiest})."
        ),
    ]


def component_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per stream, and one for the rest."""
    about = content["decomposition"]
    rows = [
        {"stream": name, **part, **about["streams"][name]}
        for name, part in content["components"].items()
    ]
    nothing = dict.fromkeys(["levels", "ci_low", "ci_high", "share", "variance", "f", "p"])
    return [*rows, {"stream": "together", "sd": about["rest_sd"], **nothing}]


def component_lines(content: dict[str, Any]) -> list[str]:
    """How the decomposition was come by, and what it does not tell."""
    about = content["decomposition"]
    if about is None:
        return []
    if content["components"] is None:
        return [f"Not decomposed: {about['reason']}."]
    lines = [
        (
            f"Where the noise comes from: {about['n']} runs of the baseline in which every stream "
            f"changes by itself ({METHODS[about['method']]}); together: what no stream does alone."
        )
    ]
    below = [name for name, part in about["streams"].items() if part["variance"] < 0]
    if below:
        lines.append(
            f"A negative variance ({', '.join(below)}) is an estimate of something near zero: the "
            "sd beside it is 0."
        )
    return [*lines, *([f"{about['reason'].capitalize()}."] if about["reason"] else [])]
