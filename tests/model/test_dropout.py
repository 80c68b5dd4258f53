from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import device_masks, kernels
from model.config import ModelConfig
from model.dropout import Dropout, DropoutStream, dropped_levels, use_dropout
from model.gpt import GPT
from model.init import initialise
from model.windowed import windowed

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
    return stream.keep_mask(rate, site, shape)


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


@settings(max_examples=30)
@given(
    sequences=st.integers(2, 9),
    units=st.integers(1, 70),
    step=st.integers(0, 2**32 - 1),
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
        wandering.keep_mask(0.3, site, torch.Size([3, 100]))
    wandering.seek(2, 0)
    wandering.keep_mask(0.5, 5, torch.Size([1, 7]))  # another site, at the same step
    assert torch.equal(
        wandering.keep_mask(0.1, 3, SHAPE),
        mask(step=2, site=3),
    )


def test_a_higher_rate_drops_what_a_lower_one_drops_and_more() -> None:
    assert ((mask(rate=0.1) == 0) <= (mask(rate=0.2) == 0)).all()


def test_every_site_of_a_model_has_a_number_of_its_own(shape: ModelConfig) -> None:
    sites = [m.site for m in GPT(shape, 31).modules() if isinstance(m, Dropout)]
    assert len(set(sites)) == len(sites) == 1 + 3 * shape.layers


def test_an_arm_with_more_layers_reads_the_same_masks_at_the_sites_they_share(
    shape: ModelConfig,
) -> None:
    shallow, deep = sites(shape), sites(shape.model_copy(update={"layers": 3}))
    assert shallow.items() < deep.items()


def sites(config: ModelConfig) -> dict[str, int]:
    modules = GPT(config, 31).named_modules()
    return {name: module.site for name, module in modules if isinstance(module, Dropout)}


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_a_site_multiplies_by_its_mask_forward_and_backward(kind: torch.dtype) -> None:
    site, stream = Dropout(0.3, site=2), DropoutStream(1)
    stream.seek(9, 4)
    use_dropout(site, stream)
    expected = stream.keep_mask(0.3, 2, (5, 6, 7))
    x, branch, up = (torch.randn(5, 6, 7, dtype=kind) for _ in range(3))
    for output, of in (
        (site(branch.requires_grad_()), branch * expected),
        (site.add(x.float(), branch), x.float() + branch * expected),
    ):
        torch.testing.assert_close(output, of, check_dtype=False)
        (grad,) = torch.autograd.grad(output, branch, up.to(output.dtype))
        torch.testing.assert_close(grad, (up * expected).to(kind), check_dtype=False)


def test_philox_gives_the_published_words() -> None:
    # Random123's known answers for philox4x32 with seven rounds: counter and key of zeros.
    words = [np.zeros(1, np.uint32) for _ in range(4)]
    kernels._blocks(*words, *[np.uint32(0)] * 5)
    assert [int(word[0]) for word in words] == [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 70)),
    step=st.integers(0, 2**32 - 1),
    first=st.integers(0, 2**20),
    tile=st.integers(0, 40),
    seed=st.integers(0, 2**62),
)
def test_masks_made_on_a_device_equal_those_of_the_kernels(
    shape: tuple[int, int], step: int, first: int, tile: int, seed: int
) -> None:
    stream = DropoutStream(seed)
    stream.seek(step, first)
    place = torch.tensor([first, step, *map(int, stream._key)])
    number = torch.tensor(int(stream.mask(0.2, 3, tile=tile).place[0]))
    made = device_masks.keep_mask(place, number, shape, dropped_levels(0.2))
    torch.testing.assert_close(made, stream.keep_mask(0.2, 3, shape, tile=tile), rtol=1e-7, atol=0)


def test_a_model_on_another_device_makes_the_same_masks_there() -> None:
    x = torch.ones(3, 50, dtype=torch.bfloat16)
    outputs = []
    for elsewhere in (False, True):
        site, stream = Dropout(0.3, site=2), DropoutStream(1)
        if elsewhere:
            stream.on_device = torch.zeros(4, dtype=torch.int64)
        stream.seek(9, 4)
        use_dropout(site, stream)
        outputs.append(site.add(torch.zeros(3, 50), x))
    torch.testing.assert_close(*outputs, rtol=1e-7, atol=0)


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


def test_attention_in_a_window_makes_the_same_masks_on_another_device() -> None:
    qkv = torch.randn(3, 2, 2, 150, 4, generator=torch.Generator().manual_seed(1))
    outputs = []
    for elsewhere in (False, True):
        site, stream = Dropout(0.3, site=2), DropoutStream(1)
        if elsewhere:
            stream.on_device = torch.zeros(4, dtype=torch.int64)
        stream.seek(9, 4)
        use_dropout(site, stream)
        outputs.append(windowed(qkv, 70, site.keep_mask))
    torch.testing.assert_close(*outputs)
