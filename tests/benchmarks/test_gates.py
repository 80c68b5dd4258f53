"""Figures of the gates: what a Monte Carlo interval allows, and what is printed."""

import pytest
from scipy.stats import binomtest

from benchmarks.gates.gate import Gate, Measured, NotTried
from benchmarks.gates.line import CONFIDENCE, Line, Rate, at_least, at_most, between
from benchmarks.gates.printing import told
from benchmarks.gates.registry import GATES


@pytest.mark.parametrize(("hits", "trials"), [(0, 20), (3, 20), (20, 20), (240, 4000)])
def test_rates_have_exact_intervals(hits: int, trials: int) -> None:
    expected = binomtest(hits, trials).proportion_ci(CONFIDENCE, method="exact")
    assert Rate(hits, trials).interval() == pytest.approx((expected.low, expected.high))


def test_a_rate_breaks_its_gate_only_if_chance_does_not_explain_it() -> None:
    assert at_most("error", Rate(240, 4000), 0.06).outcome == "kept"
    assert at_most("error", Rate(260, 4000), 0.06).outcome == "within chance"
    assert at_most("error", Rate(320, 4000), 0.06).outcome == "not kept"
    assert at_most("error", Rate(320, 4000), 0.06, known="two modes").outcome == "known"
    assert at_least("power", Rate(3100, 4000), 0.8).outcome == "not kept"
    assert between("coverage", Rate(3600, 4000), (0.94, 0.97)).outcome == "not kept"
    assert between("coverage", Rate(3950, 4000), (0.94, 0.97)).outcome == "not kept"


def test_many_figures_are_printed_as_extremes_and_those_outside_their_limits() -> None:
    lines = [at_most(f"error: cell {i}", Rate(100 + i, 4000), 0.06) for i in range(30)]
    lines += [at_most("error: broken", Rate(400, 4000), 0.06)]
    lines += [at_most("error: modes", Rate(450, 4000), 0.06, known="two modes at three seeds")]
    gate = Gate("paired", "Error at most 0.06.", lambda _: lines)
    text = told(Measured(gate, lines, 1.0), every=False)
    assert text.startswith(
        "paired: NOT KEPT: 1 of 32 figures, 1 known to fail and documented, 1 s."
    )
    assert "error: cell 0: 0.0250 (" in text
    assert "cell 15" not in text
    assert "NOT KEPT: error: broken: 0.1000 (" in text
    assert "known, documented: error: modes: 0.1125 (" in text
    assert "[two modes at three seeds]" in text
    assert "cell 15" in told(Measured(gate, lines, 1.0), every=True)


def test_a_gate_that_was_not_tried_says_why() -> None:
    gate = Gate("reference", "Published runs.", lambda _: NotTried("absent"))
    assert told(Measured(gate, NotTried("absent"), 0.0), every=False) == (
        "reference: not tried (absent)"
    )


def test_gates_have_names_of_their_own_and_a_promise_of_one_sentence() -> None:
    names = [gate.name for gate in GATES]
    assert len(set(names)) == len(names)
    assert all(gate.promise.endswith(".") for gate in GATES)
    assert Line("a", "1", "known").kept
