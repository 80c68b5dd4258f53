"""Datasets on the Hugging Face Hub: text that is streamed, or ready tokens that are downloaded.

`datasets` and `huggingface_hub` take seconds to import, so both are, in functions, only where a
dataset is looked up or read; a run reads token files and needs neither.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from trainer.errors import CorpusError, UnreachableError
from trainer.files import write_json
from trainer.ready import ReadyTokens, is_ready
from trainer.recipe import DataConfig
from trainer.source import PIECE, Origin, Piece, Source, Text, digest, first_names, split_words
from trainer.within import PATIENCE, within

WORKS_OFFLINE = (
    "what works offline: python-stdlib, local files, and corpora that `sweep data list` shows"
)
ROWS = 512
"""Rows that are read from a stream at once."""


@dataclass(frozen=True)
class Pin:
    """What a name and revision on the hub were found to be, once and for all."""

    commit: str
    files: list[str]
    """Token files; empty where the dataset is text."""


def on_hub(data: DataConfig, cache: Path, *, online: bool) -> Source:
    """A dataset of the hub, at the commit that was found when it was first looked up.

    So that a study goes on with the text that it began with. Raises CorpusError when the dataset
    cannot be had, or was not looked up before and `online` is false.
    """
    path = cache / "hub.json"
    pins = _read(path)
    key = f"{data.corpus}@{data.revision or 'newest'}"
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


def _read(path: Path) -> dict[str, Pin]:
    try:
        return {key: Pin(**pin) for key, pin in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def forget(cache: Path, commit: str) -> None:
    """Forget the names that were found to be a commit, so that they are looked up again."""
    path = cache / "hub.json"
    kept = {key: pin for key, pin in _read(path).items() if pin.commit != commit}
    if path.exists():
        write_json(path, {name: asdict(pin) for name, pin in kept.items()})


def _look_up(data: DataConfig) -> Pin:
    from huggingface_hub import HfApi  # noqa: PLC0415  (see above)

    with _in_words(data):
        found = within(
            PATIENCE,
            lambda: HfApi().dataset_info(data.corpus, revision=data.revision, timeout=PATIENCE),
        )
    names = [sibling.rfilename for sibling in found.siblings or ()]
    return Pin(str(found.sha), sorted(name for name in names if is_ready(name)))


class HubTokens:
    """Token files of a dataset, downloaded to where the hub's library keeps its files."""

    def __init__(self, data: DataConfig, pin: Pin) -> None:
        self._data = data
        self._pin = pin

    def origin(self) -> Origin:
        pin = self._pin
        hashed = digest(self._data, "hub tokens", [self._data.corpus, pin.commit])
        return Origin(hashed, first_names(pin.files), pin.commit, ReadyTokens.SPLIT)

    @cached_property
    def _ready(self) -> ReadyTokens:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415  (see above)

        get = partial(
            hf_hub_download, self._data.corpus, repo_type="dataset", revision=self._pin.commit
        )
        with _in_words(self._data):
            paths = [Path(get(name)) for name in self._pin.files]
        return ReadyTokens(self._data, paths, self.origin())

    @property
    def tokenizer(self) -> Path:
        """Where the tokenizer lies, if they have brought one."""
        return self._ready.tokenizer

    @property
    def size(self) -> int:
        return self._ready.size

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        return self._ready.pieces(resume)


class HubText:
    """The training split of a dataset with a column of text, streamed."""

    def __init__(self, data: DataConfig, pin: Pin) -> None:
        self._data = data
        self._pin = pin

    def origin(self) -> Origin:
        data, commit = self._data, self._pin.commit
        contents = [data.corpus, data.subset or "", commit, data.text_column]
        hashed = digest(data, "hub text", contents)
        return Origin(hashed, (), commit, split_words(data.test_share))

    @property
    def size(self) -> int | None:
        return None

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        from trainer.parquet import check_column, texts_of  # noqa: PLC0415  (brings pyarrow)

        data = self._data
        where = f"data.corpus = {data.corpus!r}"
        with _in_words(data):
            stream = _stream(data, self._pin.commit)
            if resume is not None:
                stream.load_state_dict(resume)
            columns, size = [], 0
            for table in stream.with_format("arrow").iter(batch_size=ROWS):
                check_column(where, table.schema, data.text_column)
                column = table[data.text_column].combine_chunks()
                columns.append(column)
                size += column.nbytes
                if size >= PIECE:
                    yield Piece(size, stream.state_dict(), _reader(columns, data, texts_of))
                    columns, size = [], 0
            if columns:
                yield Piece(size, stream.state_dict(), _reader(columns, data, texts_of))


def _reader(columns: list[Any], data: DataConfig, texts_of: Any) -> Any:  # noqa: ANN401  (pyarrow has no types)
    def read() -> Iterator[Text]:
        for column in columns:
            yield from texts_of(column, data.test_share, f"data.corpus = {data.corpus!r}")

    return read


def _stream(data: DataConfig, commit: str) -> Any:  # noqa: ANN401  (an IterableDataset)
    import datasets  # noqa: PLC0415  (see above)

    datasets.disable_progress_bars()
    splits = datasets.load_dataset(data.corpus, data.subset, revision=commit, streaming=True)
    if "train" not in splits and len(splits) != 1:
        raise CorpusError(
            f"data.corpus = {data.corpus!r} has no split 'train', and more than one other: "
            f"{', '.join(splits)}; name a dataset with a training split"
        )
    return splits["train"] if "train" in splits else next(iter(splits.values()))


@contextlib.contextmanager
def _in_words(data: DataConfig) -> Iterator[None]:
    """What the hub's libraries raise, as a sentence."""
    try:
        yield
    except CorpusError:
        raise
    except Exception as error:
        from httpx2 import TransportError  # noqa: PLC0415  (what the hub's library speaks with)

        where = f"data.corpus = {data.corpus!r}"
        refusal = _refusal(data, error)
        if refusal is not None:
            raise CorpusError(f"{where}: {refusal}") from error
        if isinstance(error, OSError | TransportError):
            raise UnreachableError(f"{where}: {_unreachable(error)}") from error
        raise


def _refusal(data: DataConfig, error: Exception) -> str | None:
    """Why the hub does not give it to us, and what to do; None where it was not asked."""
    from huggingface_hub import constants, errors  # noqa: PLC0415  (see above)

    page = f"{constants.ENDPOINT}/datasets/{data.corpus}"
    if isinstance(error, errors.GatedRepoError) or "is a gated dataset" in str(error):
        return (
            f"this dataset is gated; accept its terms at {page}, then log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {data.revision!r}; those that it has: {page}/commits"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            "there is no such dataset on the Hugging Face Hub, or it is private; check the name, "
            "or log in with `hf auth login`"
        )
    if isinstance(error, ValueError | FileNotFoundError):  # no such subset, no data in it
        return str(error).strip().partition("\n")[0]
    return None


def _unreachable(error: Exception) -> str:
    from huggingface_hub import constants  # noqa: PLC0415  (see above)

    if constants.HF_HUB_OFFLINE:
        return f"it cannot be read from the hub, as HF_HUB_OFFLINE is set; {WORKS_OFFLINE}"
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"{constants.ENDPOINT} could not be reached ({reason}); {WORKS_OFFLINE}"
