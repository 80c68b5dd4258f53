"""Datasets on the Hugging Face Hub: text that is streamed, or ready tokens that are downloaded.

`datasets` and `huggingface_hub` take seconds to import, so they are imported only to look up or
read a dataset. A run reads token files and needs neither.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import CorpusError
from trainer.files import write_json
from trainer.recipe import DataConfig
from trainer.sources.hub_errors import as_corpus_errors
from trainer.sources.source import (
    OWN_TEST,
    PIECE,
    Origin,
    Piece,
    Source,
    Text,
    dataset_rule,
    digest,
    first_names,
)
from trainer.sources.time_limit import NETWORK_TIMEOUT, call_within
from trainer.sources.token_files import ReadyTokens, is_ready
from trainer.tokens import TOKENIZER_FILE

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo

ROWS_PER_BATCH = 512
"""Rows that are read from a stream at once."""

MAX_RETRIES = 2
"""How often a broken stream is resumed; each time the library retries for half a minute. The work
so far is kept, so that the same command continues when the network is back."""


@dataclass(frozen=True)
class Pin:
    """The commit, files and splits of a dataset on the hub when it was first looked up."""

    commit: str
    files: list[str]
    """Token files; empty if the dataset is text."""
    tokenizer: bool
    """True if the token files come with a tokenizer."""
    splits: list[str]
    """Names of the splits of its text; empty if it has token files."""


def open_hub_dataset(data: DataConfig, cache: Path, *, online: bool) -> Source:
    """A dataset of the hub, at the commit that was the newest when it was first looked up.

    So a study keeps its text when the dataset changes. Raises CorpusError if the dataset cannot be
    read, or was not looked up before and `online` is false.
    """
    path = cache / "hub.json"
    pins, key = _read_pins(path), _key(data)
    if key not in pins:
        if not online:
            raise CorpusError(
                f"data.corpus = {data.corpus!r} is not prepared here; `sweep data prepare STUDY` "
                "reads it from the Hugging Face Hub"
            )
        pins[key] = _look_up(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {name: asdict(pin) for name, pin in pins.items()})
    pin = pins[key]
    return HubTokens(data, pin) if pin.files else HubText(data, pin)


def is_known(data: DataConfig, cache: Path) -> bool:
    """True if the dataset was looked up before."""
    return _key(data) in _read_pins(cache / "hub.json")


def _key(data: DataConfig) -> str:
    return f"{data.corpus} {data.subset or 'default'} {data.revision or 'newest'}"


def _read_pins(path: Path) -> dict[str, Pin]:
    try:
        return {key: Pin(**pin) for key, pin in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def forget(cache: Path, commit: str) -> None:
    """Remove the stored look-ups of a commit, so that the next one asks the hub again."""
    path = cache / "hub.json"
    kept = {key: pin for key, pin in _read_pins(path).items() if pin.commit != commit}
    if path.exists():
        write_json(path, {name: asdict(pin) for name, pin in kept.items()})


def _look_up(data: DataConfig) -> Pin:
    with as_corpus_errors(data):
        found = _fetch_info(data, data.revision)
    names = [sibling.rfilename for sibling in found.siblings or ()]
    ready = sorted(name for name in names if is_ready(name))
    commit = str(found.sha)
    return Pin(commit, ready, TOKENIZER_FILE in names, [] if ready else _splits(data, commit))


def _splits(data: DataConfig, commit: str) -> list[str]:
    """The names of the splits, including one for training."""
    from datasets import get_dataset_split_names

    with as_corpus_errors(data):
        splits = list(get_dataset_split_names(data.corpus, data.subset, revision=commit))
    if "train" not in splits and len(splits) != 1:
        raise CorpusError(
            f"data.corpus = {data.corpus!r} has no split 'train', and more than one other: "
            f"{', '.join(splits)}; use a dataset with a training split"
        )
    return splits


def _fetch_info(data: DataConfig, revision: str | None) -> DatasetInfo:
    """Fetch the hub's description of a dataset; raises the library's errors within NETWORK_TIMEOUT.

    Also called before reading, because reading retries for minutes if the hub is unreachable.
    """
    from huggingface_hub import HfApi

    return call_within(
        NETWORK_TIMEOUT,
        lambda: HfApi().dataset_info(data.corpus, revision=revision, timeout=NETWORK_TIMEOUT),
    )


class HubTokens:
    """Token files of a dataset, downloaded to the cache of `huggingface_hub`."""

    def __init__(self, data: DataConfig, pin: Pin) -> None:
        self._data = data
        self._pin = pin

    def origin(self) -> Origin:
        pin = self._pin
        hashed = digest(self._data, "hub tokens", [self._data.corpus, pin.commit])
        return Origin(hashed, first_names(pin.files), pin.commit, ReadyTokens.SPLIT)

    @cached_property
    def _ready(self) -> ReadyTokens:
        return ReadyTokens.downloaded(self._data, self._download(*self._pin.files), self.origin())

    @property
    def tokenizer(self) -> Path:
        """The path of the tokenizer that comes with the token files, if there is one."""
        return self._download(TOKENIZER_FILE)[0] if self._pin.tokenizer else self._ready.tokenizer

    def _download(self, *names: str) -> list[Path]:
        """Download the files that are not cached; returns the paths of all."""
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        data, commit = self._data, self._pin.commit
        where: Any = {"repo_id": data.corpus, "repo_type": "dataset", "revision": commit}
        with as_corpus_errors(data):
            if not all(isinstance(try_to_load_from_cache(filename=n, **where), str) for n in names):
                _fetch_info(data, commit)
            return [Path(hf_hub_download(filename=name, **where)) for name in names]

    @property
    def size(self) -> int:
        return self._ready.size

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        return self._ready.pieces(resume)


class HubText:
    """A dataset with a column of text, streamed; its own test split first, if it has one."""

    def __init__(self, data: DataConfig, pin: Pin) -> None:
        self._data = data
        self._commit = pin.commit
        self._train = "train" if "train" in pin.splits else pin.splits[0]
        others = set(pin.splits) - {self._train}
        self._test = next((split for split in OWN_TEST if split in others), None)
        self._unread = sorted(others - {self._test})

    def origin(self) -> Origin:
        data, own = self._data, self._test
        contents = [data.corpus, data.subset or "", self._commit, data.text_column]
        hashed = digest(data, "hub text", [*contents, own] if own else contents)
        return Origin(hashed, (), self._commit, dataset_rule(own, self._unread, data.test_share))

    @property
    def size(self) -> int | None:
        return None

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        with as_corpus_errors(self._data):
            _fetch_info(self._data, self._commit)
            splits = [self._test, self._train] if self._test else [self._train]
            first, state = resume or (splits[0], None)
            for split in splits[splits.index(first) :]:
                yield from self._read(split, state)
                state = None

    def _read(self, split: str, state: Any) -> Iterator[Piece]:  # noqa: ANN401  (as above)
        """The pieces of a split; with a `state` of its stream, those after the last piece read."""
        from trainer.sources.arrow_columns import find_column, pick

        where, name = f"data.corpus = {self._data.corpus!r}", self._data.text_column
        share = float(split == self._test) if self._test else self._data.test_share
        stream = self._stream(split)
        if state is not None:
            stream.load_state_dict(state)
        columns, size = [], 0
        for table in stream.iter(batch_size=ROWS_PER_BATCH):
            columns.append(pick(table, find_column(where, table.schema, name)))
            size += columns[-1].nbytes
            if size >= PIECE:
                yield Piece(size, [split, stream.state_dict()], _reader(columns, share, where))
                columns, size = [], 0
        if columns:
            yield Piece(size, [split, stream.state_dict()], _reader(columns, share, where))

    def _stream(self, split: str) -> Any:  # noqa: ANN401  (an IterableDataset)
        import datasets

        datasets.disable_progress_bars()
        for library in ("datasets", "huggingface_hub"):  # they log each retry
            logging.getLogger(library).setLevel(logging.ERROR)
        datasets.config.STREAMING_OPEN_MAX_RETRIES = MAX_RETRIES
        datasets.config.STREAMING_READ_MAX_RETRIES = MAX_RETRIES
        data = self._data
        stream = datasets.load_dataset(
            data.corpus, data.subset, revision=self._commit, split=split, streaming=True
        )
        return stream.with_format("arrow")  # a separate stream, with its own state


def _reader(columns: list[Any], share: float, where: str) -> Callable[[], Iterator[Text]]:
    from trainer.sources.arrow_columns import texts_of

    return lambda: chain.from_iterable(texts_of(column, share, where) for column in columns)
