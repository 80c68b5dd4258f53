"""Measure the time and memory of preparing a corpus: `python benchmarks/corpus.py [--megabytes 2000] [--check]`.

Writes a .txt file of random words and prepares it with GPT-2's tokenizer in a process of its own.
Eight times on the way that process is stopped (SIGSTOP), and tiktoken's `encode_ordinary_batch`
encodes 20 MB of the same text on all cores. Prints both throughputs, their ratio round by round,
and the largest resident set of the preparing process (VmHWM: pages of mapped files are part of it),
which starts no other. Needs Linux and GPT-2's vocabulary.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.promises import Promise
from benchmarks.rounds import Spread

PREPARE = """
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from sweep.bootstrap import claim_names
claim_names()
from trainer.sources.catalogue import find_source
from trainer.corpora.prepare import prepare_corpus
from trainer.recipe import DataConfig
data = DataConfig(corpus=sys.argv[1], tokenizer="gpt2")
cache = Path(sys.argv[2])
print(0, flush=True)
prepare_corpus(data, find_source(data, cache), cache, lambda p, _: print(p.size, flush=True))
if getrusage(RUSAGE_CHILDREN).ru_maxrss:
    raise SystemExit("it has started processes, whose memory is not known")
[peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(peak.split()[1], flush=True)
"""
ROUNDS = 8
PART = 20_000_000
"""Bytes that tiktoken is timed on: it keeps all the text and all the tokens in memory."""
LARGEST = 1_000
"""Megabytes that a preparation may take."""


@dataclass
class Round:
    """A part of the text, prepared by us and a part of it encoded by tiktoken."""

    megabytes: float
    seconds: float
    theirs: float
    """Megabytes a second."""

    @property
    def ours(self) -> float:
        """Megabytes a second."""
        return self.megabytes / self.seconds


def main() -> int:
    """Measure and print; 1 when a checked promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=2_000)
    parser.add_argument("--check", action="store_true", help="fail when a promise is not kept")
    arguments = parser.parse_args()
    size = arguments.megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        write_text(Path(name, "text.txt"), size)
        rounds, peak = measure(Path(name, "text.txt"), size, Path(name, "cache"))
    ratio = Spread.of([each.ours / each.theirs for each in rounds])
    print(f"{size / 1e6:,.0f} MB of text on {os.cpu_count()} cores, {len(rounds)} rounds")
    print(f"prepared at {Spread.of([each.ours for each in rounds]).text(1)} MB/s")
    print(f"tiktoken's own: {Spread.of([each.theirs for each in rounds]).text(1)} MB/s")
    print(f"ours / tiktoken's: {ratio.text()}")
    print(f"peak memory: {peak:,.0f} MB")
    promises = [
        Promise("the ratio to tiktoken's own", 0.7, ratio.median),
        Promise("peak memory in MB", LARGEST, peak, at_most=True),
    ]
    print("\n".join(promise.text() for promise in promises))
    return int(arguments.check and not all(promise.kept for promise in promises))


def write_text(path: Path, size: int) -> None:
    """Lines of words whose frequencies fall as 1/rank, from a fixed seed."""
    rng = np.random.default_rng(1)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(rng.choice(letters, 1 + length)) for length in rng.poisson(4, 20_000)]
    with path.open("w") as file:
        while (missing := size - file.tell()) > 0:
            ranks = np.minimum(rng.zipf(1.2, 100_000) - 1, len(words) - 1)
            lines = (" ".join(words[i] for i in ranks[n : n + 12]) for n in range(0, 100_000, 12))
            file.write("\n".join(lines)[:missing])


def measure(path: Path, size: int, cache: Path) -> tuple[list[Round], float]:
    """The rounds, and the peak memory in megabytes."""
    command = [sys.executable, "-c", PREPARE, str(path), str(cache)]
    rounds: list[Round] = []
    tiktoken_rate(path, 0, 1_000)  # loads the vocabulary
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout or ())
        done, began, last = int(next(lines)), time.perf_counter(), ""
        for last in lines:
            if done < size and int(last) >= min(size, done + size // ROUNDS):
                process.send_signal(signal.SIGSTOP)
                seconds = time.perf_counter() - began
                theirs = tiktoken_rate(path, done, min(PART, size // ROUNDS))
                rounds.append(Round((int(last) - done) / 1e6, seconds, theirs))
                done, began = int(last), time.perf_counter()
                process.send_signal(signal.SIGCONT)
        rounds[-1].seconds += time.perf_counter() - began  # what is left when all is encoded
    if process.returncode:
        raise SystemExit("the preparation failed")
    return rounds, int(last) * 1024 / 1e6


def tiktoken_rate(path: Path, start: int, length: int) -> float:
    """Megabytes a second of `encode_ordinary_batch` on all cores, for a part of the text."""
    import tiktoken  # noqa: PLC0415  (only here)

    encoding = tiktoken.get_encoding("gpt2")
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(length).decode()
    texts = [text[at : at + 100_000] for at in range(0, len(text), 100_000)]
    began = time.perf_counter()
    encoding.encode_ordinary_batch(texts, num_threads=os.cpu_count() or 1)
    return len(text) / (time.perf_counter() - began) / 1e6


if __name__ == "__main__":
    sys.exit(main())
