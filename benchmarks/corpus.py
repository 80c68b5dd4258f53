"""What preparing a corpus costs: `python benchmarks/corpus.py [--megabytes 2000]`.

Writes a .txt file of random words, prepares it with GPT-2's tokenizer in a process of its own, and
has tiktoken's `encode_ordinary_batch` encode a part of the same text on all cores, before and after.
Prints the peak memory of the preparation and both throughputs. Needs GPT-2's vocabulary.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PREPARE = """
import resource, sys, time
from pathlib import Path
from trainer.catalogue import find_source
from trainer.prepare import prepare_corpus
from trainer.recipe import DataConfig
data = DataConfig(corpus=sys.argv[1], tokenizer="gpt2")
cache = Path(sys.argv[2])
began = time.perf_counter()
corpus = prepare_corpus(data, find_source(data, cache), cache)
seconds = time.perf_counter() - began
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, corpus.info.train_tokens)
"""
"""In one process, whose threads share its memory; it starts no other."""

PART = 20_000_000
"""Bytes that tiktoken is timed on: it keeps all the text and all the tokens in memory."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=2_000)
    size = parser.parse_args().megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "text.txt")
        write_text(path, size)
        before = tiktoken_rate(path)
        seconds, peak = prepare(path, Path(name, "cache"))
        after = tiktoken_rate(path)
    theirs, ours = (before + after) / 2, size / seconds / 1e6
    print(
        f"prepared {size / 1e6:,.0f} MB in {seconds:.1f} s: {ours:.1f} MB/s on {os.cpu_count()} cores"
    )
    print(
        f"tiktoken's own batch encoding: {theirs:.1f} MB/s ({before:.1f} before, {after:.1f} after)"
    )
    print(f"that is {ours / theirs:.0%}; peak memory {peak / 1e6:,.0f} MB")


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


def prepare(path: Path, cache: Path) -> tuple[float, int]:
    """Seconds, and the peak memory in bytes."""
    command = [sys.executable, "-c", PREPARE, str(path), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kilobytes, _ = done.stdout.split()
    return float(seconds), int(kilobytes) * 1024


def tiktoken_rate(path: Path) -> float:
    """Megabytes a second of `encode_ordinary_batch` on all cores."""
    import tiktoken  # noqa: PLC0415  (only here)

    encoding = tiktoken.get_encoding("gpt2")
    with path.open() as file:
        text = file.read(PART)
    texts = [text[start : start + 100_000] for start in range(0, len(text), 100_000)]
    began = time.perf_counter()
    encoding.encode_ordinary_batch(texts, num_threads=os.cpu_count() or 1)
    return len(text) / (time.perf_counter() - began) / 1e6


if __name__ == "__main__":
    main()
