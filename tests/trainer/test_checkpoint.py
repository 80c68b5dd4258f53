from __future__ import annotations

import ast
import json
import math
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import files
from trainer.errors import CheckpointError
from trainer.training import checkpoint, sealed
from trainer.training.checkpoint import Checkpoint, Checkpoints

FLOATS = [1.5, -0.0, math.nan, math.inf, 1e-40, 0.1]
TENSORS = {
    **{str(kind): torch.tensor(FLOATS).to(kind) for kind in (torch.float32, torch.bfloat16)},
    "half": torch.tensor(FLOATS, dtype=torch.float16),
    "a NaN with a payload": torch.tensor([0x7FC12345, -1], dtype=torch.int32).view(torch.float32),
    "counts": torch.tensor([[2**62, -1]]),
    "mask": torch.tensor([True, False]),
    "scalar": torch.tensor(-0.0),
    "empty": torch.empty(0, 3),
}
PROGRESS = {"last_loss": 0.1 + 0.2, "zero": -0.0, "tiny": 5e-324, "seen": 2**70, "words": ["é\n"]}


def small(step: int, **progress: Any) -> Checkpoint:  # noqa: ANN401  (whatever JSON holds)
    """A checkpoint whose tensors tell the step."""
    return Checkpoint(step, {"weight": torch.full((9,), float(step))}, progress)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    return tensor.dtype, tensor.shape, bytes(flat.tolist())


def check(found: Checkpoint | None, step: int) -> None:
    assert found
    assert found.step == step
    assert torch.equal(found.tensors["weight"], small(step).tensors["weight"])


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "run" / "checkpoints", "1" * 64)


@pytest.fixture
def two(checkpoints: Checkpoints) -> Checkpoints:
    """With checkpoints of the steps 10 and 20."""
    for step in (10, 20):
        checkpoints.save(small(step))
    return checkpoints


def test_a_checkpoint_is_read_as_it_was_written_to_the_last_bit(checkpoints: Checkpoints) -> None:
    checkpoints.save(Checkpoint(123, TENSORS, PROGRESS))
    found = checkpoints.latest(pytest.fail)
    assert found
    assert found.step == 123
    assert {n: bits(t) for n, t in found.tensors.items()} == {
        n: bits(t) for n, t in TENSORS.items()
    }
    assert repr(sorted(found.progress.items())) == repr(sorted(PROGRESS.items()))


def test_tensors_may_share_memory_be_transposed_or_need_gradients(checkpoints: Checkpoints) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    whole.untyped_storage().share_memory_()
    odd = {
        "whole": whole,
        "same": whole,
        "transposed": whole.T,
        "part": whole[:, 1:],
        "row": whole[1],
        "parameter": torch.nn.Parameter(whole),
    }
    checkpoints.save(Checkpoint(1, odd, {}))
    found = checkpoints.latest(pytest.fail)
    assert found
    assert {n: bits(t) for n, t in found.tensors.items()} == {
        n: bits(t.detach()) for n, t in odd.items()
    }


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_tensors_on_a_gpu_are_read_on_the_cpu(checkpoints: Checkpoints) -> None:
    checkpoints.save(Checkpoint(1, {"weight": torch.full((9,), 1.0, device="cuda")}, {}))
    check(checkpoints.latest(pytest.fail), 1)


def test_what_was_read_outlives_its_files(two: Checkpoints) -> None:
    found = two.latest(pytest.fail)
    for path in two.folder.glob("*/*"):
        path.write_bytes(b"")
    check(found, 20)


def test_only_the_newest_two_checkpoints_are_kept(checkpoints: Checkpoints) -> None:
    for step in (3, 20, 100, 99_999_999_999):
        checkpoints.save(small(step))
        check(checkpoints.latest(pytest.fail), step)
    assert names(checkpoints.folder) == ["step-0000000100", "step-99999999999"]
    assert names(checkpoints.folder / "step-0000000100") == [sealed.FIELDS, sealed.TENSORS]
    modes = {path.stat().st_mode & 0o444 for path in checkpoints.folder.glob("*/*")}
    assert modes == {0o444}


def test_a_step_that_is_saved_again_is_replaced(two: Checkpoints) -> None:
    two.save(small(20, words="new"))
    found = two.latest(pytest.fail)
    assert found
    assert found.progress == {"words": "new"}
    assert names(two.folder) == ["step-0000000010", "step-0000000020"]


def test_damaged_checkpoints_of_later_steps_replace_no_undamaged_one(two: Checkpoints) -> None:
    for path in two.folder.glob("*/*.json"):
        path.unlink()
    for step in (4, 5):
        two.save(small(step))
    check(two.latest(pytest.fail), 5)
    assert names(two.folder) == ["step-0000000004", "step-0000000005"]


@pytest.mark.parametrize("progress", [{"loss": math.nan}, {"pair": (1, 2)}, {"counts": {1: 2}}])
def test_progress_that_json_would_change_is_refused(
    two: Checkpoints, progress: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        two.save(small(30, **progress))
    assert names(two.folder) == ["step-0000000010", "step-0000000020"]


def test_a_checkpoint_of_another_recipe_is_refused_with_the_remedy(two: Checkpoints) -> None:
    with pytest.raises(CheckpointError) as refused:
        Checkpoints(two.folder, "2" * 64).latest(pytest.fail)
    assert str(refused.value) == (
        f"{two.folder}/step-0000000020 belongs to another recipe or corpus than the one to be "
        f"trained; remove {two.folder} or use another run directory"
    )


def test_clear_removes_all_checkpoints_and_the_folder_unless_it_has_other_files(
    two: Checkpoints,
) -> None:
    for leftover in (".writing-step-0000000030", ".removed-x", ".replaced-step-0000000010"):
        (two.folder / leftover).mkdir()
    (two.folder / "notes.txt").touch()
    two.clear()
    assert names(two.folder) == ["notes.txt"]
    (two.folder / "notes.txt").unlink()
    for _ in range(2):
        two.clear()
        assert not two.folder.exists()
        assert two.latest(pytest.fail) is None


@settings(max_examples=300)
@given(data=st.data())
def test_any_byte_flipped_or_missing_is_noticed_and_the_one_before_is_used(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "flipped"
    checkpoints = Checkpoints(folder, "1" * 64)
    if not folder.exists():
        checkpoints.save(small(10))
        checkpoints.save(small(20, loss=0.5, words="ab"))
    path = folder / "step-0000000020" / data.draw(st.sampled_from([sealed.FIELDS, sealed.TENSORS]))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(0, 255))
    path.write_bytes(whole[:at] + (bytes([whole[at] ^ flip]) + whole[at + 1 :] if flip else b""))
    said: list[str] = []
    try:
        check(checkpoints.latest(said.append), 10)
    finally:
        path.write_bytes(whole)
    [sentence] = said
    assert sentence.startswith(f"{path.parent} is damaged ({path.name} is not ")
    assert sentence.endswith("); the one before it, step-0000000010, is used")


def reseal(folder: Path, **changes: Any) -> None:  # noqa: ANN401  (whatever JSON holds)
    """Change fields as someone would who knows how the hashes are made."""
    fields = json.loads((folder / sealed.FIELDS).read_bytes()) | changes
    del fields["sha256"]
    (folder / sealed.FIELDS).write_bytes(sealed._seal(fields))


def reseal_tensors(folder: Path, content: bytes) -> None:
    (folder / sealed.TENSORS).write_bytes(content)
    reseal(folder, tensors_sha256=sealed._sha256(folder / sealed.TENSORS))


class Malice:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def replace_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


def replace_by_a_pipe(folder: Path) -> None:
    (folder / sealed.FIELDS).unlink()
    os.mkfifo(folder / sealed.FIELDS)


def write_fields(content: bytes) -> Callable[[Path], int]:
    return lambda folder: (folder / sealed.FIELDS).write_bytes(content)


HEADER = b'{"a":{"dtype":"F4","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}'
OVERFLOW = len(HEADER).to_bytes(8, "little") + HEADER


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (replace_by_a_file, "it is not a folder"),
        (replace_by_a_pipe, "there is no file checkpoint.json in it"),
        (lambda f: (f / sealed.FIELDS).unlink(), "there is no file checkpoint.json in it"),
        (lambda f: (f / sealed.TENSORS).unlink(), "there is no file tensors.safetensors in it"),
        *[
            (write_fields(content), "checkpoint.json is not the JSON of a checkpoint")
            for content in (b"", b"3", b"\xff", b"[" * 9**6, b'{"format": 1, "a": NaN}')
        ],
        *[
            (write_fields(content), "checkpoint.json is not of format 1, the one that is read here")
            for content in (b"[]", b"{}", b'[["format", 2]]')
        ],
        *[
            (write_fields(b'{"a":' * depth + b"1" + b"}" * depth), "checkpoint.json is not ")
            for depth in range(300, 1100, 100)
        ],
        (lambda f: reseal(f, format=2), "checkpoint.json is not of format 1, the one that"),
        (lambda f: reseal(f, step=21), "checkpoint.json is of another step"),
        (lambda f: reseal(f, step="x"), "checkpoint.json does not hold the fields of a"),
        (lambda f: reseal(f, more=1), "checkpoint.json does not hold the fields of a"),
        (lambda f: reseal(f, tensors_sha256=None), "tensors.safetensors is not as it was written"),
        (lambda f: reseal_tensors(f, b""), "tensors.safetensors cannot be read as tensors"),
        (lambda f: reseal_tensors(f, OVERFLOW), "tensors.safetensors cannot be read as tensors"),
        (lambda f: reseal_tensors(f, pickle.dumps(Malice())), "tensors.safetensors cannot be read"),
    ],
)
def test_anything_else_in_place_of_a_checkpoint_is_named_and_the_one_before_is_used(
    two: Checkpoints, damage: Callable[[Path], None], what: str
) -> None:
    said: list[str] = []
    damage(two.folder / "step-0000000020")
    check(two.latest(said.append), 10)
    damage(two.folder / "step-0000000010")
    if "another step" not in what:
        assert two.latest(said.append) is None
        assert said[-1].endswith("; training starts again from the first step")
    assert {sentence.count("\n") for sentence in said} == {0}
    assert all(f" is damaged ({what}" in sentence for sentence in said)
    two.save(small(20))
    check(two.latest(pytest.fail), 20)


def test_no_module_that_reads_or_writes_checkpoints_uses_pickle() -> None:
    for module in (checkpoint, sealed, files):
        source = Path(module.__file__).read_text()
        nodes = list(ast.walk(ast.parse(source)))
        called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        assert not called & {"torch.load", "torch.save", "eval", "exec"}
        assert not {"pickle", "numpy", "marshal"} & {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
