"""For all tests: no deadlines, and data that is too large for the repository.

Tests that need such data skip where it is absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.zygote import Zygote

settings.register_profile("without a deadline", deadline=None)  # other tests run beside each
settings.load_profile("without a deadline")

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

# Programs that tests start import our packages from here. An installation gives them `sweep` alone.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# Threads that wait for each other must not spin: tests run beside others, on few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def gpt2_vocabulary() -> Path:
    """The folder that holds GPT-2's vocabulary, for `TIKTOKEN_CACHE_DIR`."""
    folder = Path(os.environ.get("TIKTOKEN_CACHE_DIR", DATA / "tiktoken-cache"))
    if not folder.is_dir():
        pytest.skip(
            f"GPT-2's vocabulary is not at {folder}; TIKTOKEN_CACHE_DIR may name its folder"
        )
    return folder


@pytest.fixture(scope="session")
def shakespeare() -> Path:
    """Real English: 1,115,394 bytes."""
    file = DATA / "tinyshakespeare.txt"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    return file


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Starts commands without the cost of their imports."""
    with Zygote() as made:
        yield made
