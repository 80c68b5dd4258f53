"""Streams inside others, by published nested data."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.variance.estimate import variance_components
from analysis.variance.streams import Decomposition, UndecidableError, decompose
from tests.analysis.test_variance import DYESTUFF, PASTES, RAIL

# Snedecor and Cochran, Statistical Methods: calcium in turnip greens, four plants of three leaves,
# two determinations each. The figures are those of SAS's manual of PROC NESTED.
CALCIUM = [
    *(3.28, 3.09, 3.52, 3.48, 2.88, 2.80, 2.46, 2.44, 1.87, 1.92, 2.19, 2.19),
    *(2.77, 2.66, 3.74, 3.44, 2.55, 2.55, 3.78, 3.87, 4.07, 4.12, 3.31, 3.31),
]
STREAMS = {"init": "init_seed", "order": "order_seed", "dropout": "dropout_seed"}


def nested(losses: list[float], inits: int, orders: int = 1, *, anew: bool = True) -> pd.DataFrame:
    """Runs in their order: repeats fastest. Each run has its own dropout seed, each init its own
    orders if `anew`; else orders are numbered from 0 in each init.
    """
    cells = list(product(range(inits), range(orders), range(len(losses) // (inits * orders))))
    rows = [(i, i * orders * anew + j, run) for run, (i, j, _) in enumerate(cells)]
    return pd.DataFrame(rows, columns=list(STREAMS.values())).assign(loss=losses)


def sds(found: Decomposition) -> list[float]:
    return [stream.sd for stream in found.streams.values()]


def test_inits_with_several_orders_are_decomposed_like_rails_and_batches_of_dyestuff() -> None:
    # nlme, Rail; lme4, Dyestuff.
    for values, known in ((RAIL, (24.80547, 4.020779)), (DYESTUFF, (42.00060, 49.51010))):
        runs = nested(list(map(float, values)), inits=6)
        found = decompose(runs, {"init": "init_seed", "dropout": "dropout_seed"})
        assert sds(found) == pytest.approx(known, abs=5e-6)
        assert (found.method, found.single, found.rest_sd) == ("moments", ("dropout",), None)


def test_orders_inside_inits_are_decomposed_like_the_pastes_of_lme4() -> None:
    found = decompose(nested(PASTES, 10, 3), STREAMS)
    assert sds(found) == pytest.approx([1.2874, 2.9041, 0.8234], abs=5e-5)
    assert found.outer == {"order": ("init",)}
    assert [part.separable for part in found.streams.values()] == [10, 21, 31]
    assert sum(part.share or 0 for part in found.streams.values()) == pytest.approx(1)


def test_orders_inside_inits_are_decomposed_like_the_leaves_of_turnip_greens() -> None:
    found = decompose(nested(CALCIUM, 4, 3), STREAMS)
    variances = [part.variance for part in found.streams.values()]
    assert variances == pytest.approx([0.365223, 0.161060, 0.006654], abs=1e-6)
    shares = [part.share for part in found.streams.values()]
    assert shares == pytest.approx([0.685302, 0.302212, 0.012486], abs=1e-5)
    assert [part.f for part in found.streams.values()][:2] == pytest.approx([7.67, 49.41], abs=5e-3)


def test_orders_that_are_numbered_anew_in_each_init_are_nested_if_that_is_said() -> None:
    runs = nested(PASTES, 10, 3, anew=False)
    found = decompose(runs, STREAMS, inside={"order": ("init",)})
    assert sds(found) == pytest.approx([1.2874, 2.9041, 0.8234], abs=5e-5)
    assert decompose(runs, STREAMS).outer == {}


def test_maximum_likelihood_on_request_is_that_of_lme4_and_nlme() -> None:
    # Bates, Maechler, Bolker and Walker: Dyestuff and Pastes with REML = FALSE; nlme, Rail.
    pastes = decompose(nested(PASTES, 10, 3), STREAMS, method="ML")
    assert sds(pastes) == pytest.approx([1.0951, 2.9041, 0.8234], abs=1e-4)
    dye = pd.DataFrame({"batch": np.repeat(range(6), 5), "loss": DYESTUFF})
    found = variance_components(dye, ["batch"], method="ML")
    assert [part.variance for part in found.parts] == pytest.approx([1388.333, 2451.25], abs=1e-2)
    rail = decompose(
        nested(list(map(float, RAIL)), 6), dict(list(STREAMS.items())[::2]), method="ML"
    )
    assert sds(rail) == pytest.approx([22.62435, 4.020779], abs=1e-4)
    assert rail.method == "ML"


def test_nested_layouts_with_lost_runs_are_fitted_by_reml() -> None:
    runs = nested(PASTES, 10, 3).drop(index=[3, 17, 40])
    found = decompose(runs, STREAMS)
    assert found.method == "REML"
    direct = variance_components(
        runs.assign(cell=runs["order_seed"]), ["init_seed", "init_seed:cell"], method="REML"
    )
    assert sds(found) == pytest.approx([part.sd for part in direct.parts])


def test_streams_that_all_change_with_every_run_are_not_told_apart() -> None:
    runs = nested(list(map(float, RAIL)), 6).assign(order_seed=range(18))
    found = decompose(runs, STREAMS)
    assert list(found.streams) == ["init"]
    assert found.single == ("order", "dropout")
    assert found.rest_sd == pytest.approx(4.020779, abs=5e-6)


def test_moments_of_a_layout_that_is_not_balanced_are_refused() -> None:
    runs = nested(PASTES, 10, 3).drop(index=[3])
    with pytest.raises(UndecidableError, match="the method of moments needs balance"):
        decompose(runs, STREAMS, method="moments")
