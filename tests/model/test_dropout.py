from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import ModelConfig
from model.dropout import Dropout, DropoutStream, use_dropout
from model.gpt import GPT
from model.init import initialise

SHAPE = torch.Size([64, 8192])
UNITS = SHAPE.numel()


def mask(  # one place in the stream
    *,
    seed: int = 1,
    step: int = 0,
    first: int = 0,
    site: int = 0,
    shape: torch.Size = SHAPE,
    rate: float = 0.1,
) -> torch.Tensor:
    stream = DropoutStream(seed)
    stream.seek(step, first)
    return stream.keep_mask(site, shape, rate)


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_units_are_dropped_at_the_rate_and_the_rest_scaled_to_a_mean_of_one(rate: float) -> None:
    drawn = mask(rate=rate)
    dropped = float((drawn == 0).double().mean())
    assert dropped == pytest.approx(rate, abs=5 * (rate * (1 - rate) / UNITS) ** 0.5)
    kept = drawn[drawn != 0]
    assert float(kept[0]) == pytest.approx(1 / (1 - rate), rel=2e-4)
    assert (kept == kept[0]).all()
    assert float(drawn.double().mean()) == pytest.approx(
        1, abs=5 * (rate / (1 - rate) / UNITS) ** 0.5
    )


def test_a_rate_just_below_one_still_keeps_something() -> None:
    drawn = mask(rate=0.999_999)
    assert torch.isfinite(drawn).all()
    assert 0 < int((drawn != 0).sum()) < 40  # 8 are expected


@pytest.mark.parametrize("other", [{"step": 1}, {"site": 1}, {"seed": 2}])
def test_neighbouring_steps_sites_and_seeds_are_uncorrelated(other: dict[str, int]) -> None:
    assert abs(correlation(mask(), mask(**other))) < 5 / UNITS**0.5  # type: ignore[arg-type]  # ints only


def test_neighbouring_sequences_and_units_are_uncorrelated() -> None:
    drawn = mask()
    assert abs(correlation(drawn[1:], drawn[:-1])) < 5 / UNITS**0.5
    assert abs(correlation(drawn[:, 1:], drawn[:, :-1])) < 5 / UNITS**0.5


@settings(max_examples=30, deadline=None)
@given(
    sequences=st.integers(2, 9),
    units=st.integers(1, 70),
    step=st.integers(0, 2**40),
    site=st.integers(0, 500),
    cut=st.integers(1, 8),
)
def test_masks_do_not_depend_on_the_split_into_micro_batches(
    sequences: int, units: int, step: int, site: int, cut: int
) -> None:
    cut = min(cut, sequences - 1)
    whole = mask(step=step, site=site, shape=torch.Size([sequences, units]))
    halves = [
        mask(step=step, site=site, first=first, shape=torch.Size([last - first, units]))
        for first, last in ((0, cut), (cut, sequences))
    ]
    assert torch.equal(whole, torch.cat(halves))


def test_masks_do_not_depend_on_what_was_drawn_before() -> None:
    wandering = DropoutStream(1)
    for step, site in ((9, 4), (0, 0), (7, 1)):
        wandering.seek(step, 0)
        wandering.keep_mask(site, torch.Size([3, 100]), 0.3)
    wandering.seek(2, 0)
    wandering.keep_mask(5, torch.Size([1, 7]), 0.5)  # another site, at the same step
    assert torch.equal(
        wandering.keep_mask(3, SHAPE, 0.1),
        mask(step=2, site=3),
    )


def test_a_higher_rate_drops_what_a_lower_one_drops_and_more() -> None:
    assert ((mask(rate=0.1) == 0) <= (mask(rate=0.2) == 0)).all()


def test_every_site_of_a_model_has_a_number_of_its_own(shape: ModelConfig) -> None:
    sites = [m.site for m in GPT(shape, 31).modules() if isinstance(m, Dropout)]
    assert len(set(sites)) == len(sites) == 1 + 3 * shape.layers


def test_an_arm_with_more_layers_drops_the_same_units_at_the_sites_they_share(
    shape: ModelConfig, tokens: torch.Tensor
) -> None:
    shallow = dropped_units(shape, tokens)
    deep = dropped_units(shape.model_copy(update={"layers": 3}), tokens)
    assert shallow.keys() < deep.keys()
    for name, units in shallow.items():
        assert torch.equal(units, deep[name]), name


def dropped_units(config: ModelConfig, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which outputs of each dropout site are zero where its inputs are not."""
    model = GPT(config, 31)
    initialise(model, 3)
    stream = DropoutStream(1)
    stream.seek(5, 0)
    use_dropout(model, stream)
    dropped: dict[str, torch.Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, Dropout) and not name.endswith("attention.dropout"):
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: dropped.update({name: output == 0})
            )
    model(tokens)
    return dropped


def test_evaluation_drops_nothing(shape: ModelConfig, tokens: torch.Tensor) -> None:
    model, undropped = GPT(shape, 31), GPT(shape.model_copy(update={"dropout": 0.0}), 31)
    for each in (model, undropped):
        initialise(each, 3)
    use_dropout(model, DropoutStream(1))
    assert not torch.equal(model(tokens), undropped(tokens))
    assert torch.equal(model.eval()(tokens), undropped.eval()(tokens))


def test_training_without_a_stream_is_refused(shape: ModelConfig, tokens: torch.Tensor) -> None:
    with pytest.raises(RuntimeError, match="needs a dropout stream: call use_dropout first"):
        GPT(shape, 31)(tokens)
