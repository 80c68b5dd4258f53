"""Instruction fine-tunes: the data, the loss, the weights that are taken, and interruptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from model.gpt import GPT
from trainer.corpora.tokenizer import ByteTokenizer
from trainer.errors import InstructionError
from trainer.instructions.data import InstructionData, Item, read_instructions
from trainer.instructions.encoding import IGNORED, Encoder, batch_of
from trainer.instructions.prompt import prompt_of
from trainer.instructions.request import (
    InstructionRequest,
    read_answers,
    write_instruction_request,
)
from trainer.instructions.run import run_instructions
from trainer.instructions.settings import InstructionSettings
from trainer.processes.run import train_directory
from trainer.recipe import Seeds
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.loop import RunStoppedError
from trainer.training.permutation import permute
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model

ITEMS = [
    Item(f"Say {word}", "" if n % 3 else "now", word * 2)
    for n, word in enumerate("abcdefghijklmnopqrst")
]
DATA = InstructionData(ITEMS)
SEEDS = Seeds(init=1, order=2, dropout=3)
FEW: dict[str, Any] = {"prompt": "short", "batch_size": 3, "answer_tokens": 4, "max_epochs": 3}
SMALL = {"model.context": 64}


@pytest.fixture(autouse=True)
def _deterministic_here_only() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(mode=False)


@pytest.fixture
def base(tmp_path: Path, make_weights: Callable[..., tuple[RunDirectory, GPT]]) -> RunDirectory:
    """A run with random weights and 64 positions."""
    return make_weights(tmp_path / "base", SMALL)[0]


@pytest.fixture
def tune(base: RunDirectory) -> Callable[..., RunDirectory]:
    """Makes the directory of a fine-tune with some settings: `tune("a", dropout=0.1)`."""
    folder = base.path.parent
    (folder / "data.json").write_bytes(DATA.content)

    def make(name: str, **settings: Any) -> RunDirectory:  # noqa: ANN401  (whatever the settings are)
        directory = RunDirectory(folder / name)
        request = InstructionRequest(
            base="../base",
            base_id="b" * 64,
            base_family="e" * 64,
            data="../data.json",
            data_hash=DATA.hash,
            settings=InstructionSettings(**{**FEW, **settings}),
            seeds=SEEDS,
            run_id="c" * 64,
            family="d" * 64,
        )
        write_instruction_request(directory, request)
        return directory

    return make


def finish(directory: RunDirectory) -> Result:
    assert run_instructions(directory, "cpu", 1, lambda: False) == Exit.DONE
    result = directory.read_result()
    assert result
    return result


def outcome(directory: RunDirectory) -> tuple[object, ...]:
    """Everything that a fine-tune has computed."""
    result = finish(directory)
    losses = result.provenance["validation_losses"]
    curve = [(event.step, event.loss, event.metrics) for event in directory.read_events()]
    return result.metrics, losses, read_answers(directory), curve


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not JSON"),
        ("{}", "has no items"),
        ("[]", "has no items"),
        ("[1]", "item 1 is not an object"),
        ('[{"instruction": "a", "input": ""}]', "item 1 has no 'output' (it has: input, instr"),
        ('[{"instruction": "a", "input": 3, "output": "b"}]', "'input' must be text, and is a num"),
        ('[{"instruction": "a", "input": "", "output": " "}]', "item 1 has an empty 'output'"),
        ('[{"instruction": "", "input": "", "output": "b"}]', "item 1 has an empty 'instruction'"),
        ('[{"input": "a", "input": "b"}]', "an object has 'input' twice; keep one of them"),
        ('[{"instruction": "\\ud800", "input": "", "output": "b"}]', "half of a surrogate pair"),
        (f'[{{"{"k" * 9999}": 1}}]', f"has no 'instruction' (it has: {'k' * 40}…)"),
        (f"[{'[' * 9999}", "is not JSON (maximum recursion depth"),
    ],
)
def test_a_mistake_in_the_data_is_named_with_its_item(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "data.json"
    path.write_text(content)
    with pytest.raises(InstructionError) as error:
        read_instructions(path)
    assert f"{path}" in str(error.value)
    assert message in str(error.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstructionError, match=r"data\.json cannot be read \(No such file"):
        read_instructions(tmp_path / "data.json")


def test_a_file_that_is_too_large_or_has_no_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "data.json"
    with large.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(InstructionError, match=r"data\.json is larger than 1 GiB"):
        read_instructions(large)
    monkeypatch.setattr("trainer.instructions.data.MAX_BYTES", 2**20)
    with pytest.raises(InstructionError, match="/dev/zero is larger"):
        read_instructions(Path("/dev/zero"))


def test_the_hash_is_of_the_items_and_not_of_the_files_layout(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{**each._asdict(), "source": "x"} for each in ITEMS]))
    assert read_instructions(path).hash == DATA.hash
    assert InstructionData(ITEMS[1:]).hash != DATA.hash


@pytest.mark.parametrize(("total", "sizes"), [(1100, (935, 110, 55)), (20, (17, 2, 1))])
def test_the_split_is_85_10_5_in_the_order_of_the_file(
    total: int, sizes: tuple[int, int, int]
) -> None:
    items = [Item(str(n), "", "x") for n in range(total)]
    split = InstructionData(items).split(InstructionSettings())
    assert tuple(map(len, split)) == sizes
    assert [*split.train, *split.test, *split.validation] == items


def test_data_too_small_to_be_split_is_refused() -> None:
    with pytest.raises(InstructionError, match="9 items of instruction data leave none for test"):
        InstructionData(ITEMS[:9]).split(InstructionSettings())


def test_shares_must_leave_items_for_validation() -> None:
    with pytest.raises(ValidationError, match="leave nothing for validation"):
        InstructionSettings(train_share=0.9, test_share=0.1)


def test_the_prompt_has_alpacas_form() -> None:
    assert prompt_of(Item("Add.", "1 2", "3"), "alpaca") == (
        "Below is an instruction that describes a task. Write a response that appropriately "
        "completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n"
    )
    assert prompt_of(Item("Go.", "", "x"), "short") == "### Instruction:\nGo.\n\n### Response:\n"


@pytest.mark.parametrize("loss_on", ["all", "answer"])
def test_the_loss_is_on_all_tokens_but_padding_after_the_first_end_of_text(loss_on: str) -> None:
    settings = InstructionSettings(prompt="short")
    encoder, end = Encoder(settings, ByteTokenizer(), 99), ByteTokenizer.end_of_text
    items = encoder.encode_all([Item("a", "", "xyz"), Item("a", "", "x")])
    inputs, targets = batch_of(items, end, loss_on)
    short = len(items[1].whole) - 1
    assert inputs[1, short:].tolist() == [end, end]
    assert targets[1, short - 2 :].tolist() == [ord("x"), end, IGNORED, IGNORED]
    assert targets[0, -4:].tolist() == [*b"xyz", end]
    on_prompt = [int((row != IGNORED).sum()) for row in targets[:, : len(items[0].prompt) - 1]]
    assert on_prompt == ([0, 0] if loss_on == "answer" else [len(items[0].prompt) - 1] * 2)


def test_an_item_longer_than_the_context_is_refused_or_cut() -> None:
    item = Item("a", "", "x" * 50)
    with pytest.raises(InstructionError, match=r"'a' has 85 tokens .* the model has 40 positions"):
        Encoder(InstructionSettings(prompt="short"), ByteTokenizer(), 40).encode(item)
    cut = InstructionSettings(prompt="short", long_items="cut")
    assert len(Encoder(cut, ByteTokenizer(), 40).encode(item).whole) == 41


def plain_steps(base: RunDirectory, number: int) -> list[float]:
    """The losses of the first steps, by torch's own functions and one item after the other."""
    model = load_model(open_pretrained(base.path))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.1)
    losses = []
    for step in range(number):
        slots = np.arange(3 * step, 3 * step + 3, dtype=np.uint64)
        terms: list[Tensor] = []
        for index in permute(slots, 17, f"instructions/{SEEDS.order}/0"):
            item = ITEMS[int(index)]
            tokens = torch.tensor([*(prompt_of(item, "short") + item.output).encode(), 256])
            terms.append(F.cross_entropy(model(tokens[None, :-1])[0], tokens[1:], reduction="none"))
        loss = torch.cat(terms).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_a_fine_tune_takes_the_steps_of_a_plain_loop(
    base: RunDirectory, tune: Callable[..., RunDirectory]
) -> None:
    directory = tune("a")
    finish(directory)
    losses = [event.loss for event in directory.read_events() if event.step]
    assert losses[:5] == pytest.approx(plain_steps(base, 5), abs=1e-5)


def test_the_weights_are_those_before_the_validation_loss_first_rises(
    tune: Callable[..., RunDirectory],
) -> None:
    directory = tune("a", learning_rate=0.02, max_epochs=50)
    result = finish(directory)
    losses, epochs = result.provenance["validation_losses"], int(result.metrics["epochs"])
    assert len(losses) == epochs + 2 < 50
    assert losses[:-1] == sorted(losses[:-1], reverse=True)
    assert losses[-1] > losses[-2] == result.metrics["validation_loss"]
    same = finish(tune("b", learning_rate=0.02, max_epochs=epochs, stop="never"))
    assert same.metrics == result.metrics
    assert read_answers(directory) == read_answers(tune("b"))


def test_without_early_stopping_every_epoch_is_made(tune: Callable[..., RunDirectory]) -> None:
    result = finish(tune("a", stop="never", learning_rate=0.5, max_epochs=2))
    assert (result.metrics["epochs"], result.steps) == (2, 12)


def test_each_answer_is_greedy_and_no_longer_than_asked(
    base: RunDirectory, tune: Callable[..., RunDirectory]
) -> None:
    directory = tune("a", stop="never", learning_rate=1e-30, max_epochs=1)  # changes nothing
    finish(directory)
    model, answers = load_model(open_pretrained(base.path)), read_answers(directory)
    assert len(answers) == 2
    for item, answer in zip(ITEMS[17:19], answers, strict=True):
        tokens = list(prompt_of(item, "short").encode())
        for _ in range(4):
            tokens.append(int(model(torch.tensor([tokens]))[0, -1].argmax()))
        assert answer.text == bytes(tokens[-4:]).decode(errors="replace").strip()
        assert not answer.ended


@pytest.mark.parametrize("calls", [1, 7, 19])
def test_an_interrupted_fine_tune_continues_to_the_same_bits(
    tune: Callable[..., RunDirectory], calls: int
) -> None:
    whole, parts = tune("whole", dropout=0.2), tune("parts", dropout=0.2)
    expected, left = outcome(whole), iter([False] * calls + [True])
    with pytest.raises(RunStoppedError):
        run_instructions(parts, "cpu", 1, lambda: next(left))
    assert any(parts.checkpoints.iterdir())
    assert outcome(parts) == expected
    assert not parts.checkpoints.exists()


def test_a_changed_data_file_is_refused_and_not_tried_again(
    tmp_path: Path, tune: Callable[..., RunDirectory], capfd: pytest.CaptureFixture[str]
) -> None:
    directory = tune("a")
    (tmp_path / "data.json").write_bytes(InstructionData(ITEMS[1:]).content)
    assert train_directory(directory.path, "cpu", 1) == Exit.REFUSED
    assert "was changed" in capfd.readouterr().err


def test_a_fine_tune_that_has_a_result_is_not_made_again(tune: Callable[..., RunDirectory]) -> None:
    directory = tune("a")
    assert train_directory(directory.path, "cpu", 1) == Exit.DONE
    before = directory.result.read_bytes()
    assert train_directory(directory.path, "cpu", 1) == Exit.DONE
    assert directory.result.read_bytes() == before
