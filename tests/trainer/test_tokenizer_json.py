"""A tokenizer of one's own: known by its content, lossless, or refused."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from tests.trainer.own_tokenizers import BYTEWISE, KINDS, TEXTS, make, write
from trainer.corpora.tokenizer import parse_tokenizer
from trainer.corpora.tokenizer_json import JsonTokenizer
from trainer.corpora.tokenizer_paths import TokenizerFile, find_tokenizer_file
from trainer.errors import CorpusError
from trainer.tokenizer_names import parse_name

TEXT = "Größe  三 🙂\n\n\tdef f(x):   return 1234  # </s> <|endoftext|><mask>  <|end_of_text|>"
ENDS = {"roberta": 2, "neox": 0, "llama": 1, "smol": 0}


@pytest.fixture(scope="module", params=KINDS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401
    """A kind, and its tokenizer as it is found by its path."""
    kind = str(request.param)
    path = write(KINDS[kind](), tmp_path_factory.mktemp(kind))
    return kind, find_tokenizer_file(str(path))


def load(file: TokenizerFile) -> JsonTokenizer:
    made = parse_tokenizer(file.content, "x", file.name)
    assert isinstance(made, JsonTokenizer)
    return made


def refusal(path: Path) -> str:
    with pytest.raises(CorpusError) as refused:
        find_tokenizer_file(str(path))
    message = str(refused.value)
    assert message.startswith(f"data.tokenizer = {str(path)!r}")
    assert "\n" not in message
    return message


def test_its_tokens_are_those_of_its_library_without_additions(found: Any) -> None:  # noqa: ANN401
    kind, file = found
    library = KINDS[kind]()
    library.no_truncation()
    library.encode_special_tokens = True
    for text in (TEXT, TEXTS[0]):
        ids = library.encode(text, add_special_tokens=False).ids
        assert load(file).encode(text.encode()).tolist() == ids


def test_its_name_has_its_vocabulary_and_its_end_of_text_token(found: Any) -> None:  # noqa: ANN401
    kind, file = found
    named, made = parse_name(file.name), load(file)
    assert named
    assert (named.vocabulary, named.end_of_text) == (made.vocabulary, made.end_of_text)
    assert made.vocabulary == KINDS[kind]().get_vocab_size(with_added_tokens=True)
    assert made.end_of_text == ENDS[kind]


def test_the_byte_lengths_of_its_tokens_add_up_to_the_text(found: Any) -> None:  # noqa: ANN401
    made = load(found[1])
    lengths = made.byte_lengths()
    assert lengths.shape == (made.vocabulary,)
    assert lengths[made.encode(TEXT.encode())].sum() == len(TEXT.encode())
    assert lengths[made.end_of_text] == 0


@settings(max_examples=60)
@given(text=st.text(st.characters(codec="utf-8"), max_size=80))
def test_any_text_is_given_back_or_refused(found: Any, text: str) -> None:  # noqa: ANN401
    made = load(found[1])
    if found[0] == "neox" and unicodedata.normalize("NFC", text) != text:
        with pytest.raises(CorpusError, match="does not give back the text"):
            made.encode(text.encode())
        return
    ids = made.encode(text.encode()).tolist()
    assert made.decode(ids) == text.encode()
    assert made.end_of_text not in ids


def test_text_that_a_normalizer_changes_is_refused_with_the_place(tmp_path: Path) -> None:
    file = find_tokenizer_file(str(write(KINDS["neox"](), tmp_path)))
    assert file
    with pytest.raises(CorpusError, match=r"'caf\\u0301e?'|'cafe\\u0301' becomes 'caf\\xe9'"):
        load(file).encode("cafe\u0301".encode())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "its normalizer changes text (Lowercase)"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]}},
            "its normalizer changes text (NFKC)",
        ),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "its pre_tokenizer has no ByteLevel"),
        ({"pre_tokenizer": None}, "its pre_tokenizer has no ByteLevel"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}},
            "it puts a space before each text (its pre_tokenizer has add_prefix_space = true)",
        ),
        (
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [
                        {"type": "Whitespace"},
                        json.loads(BYTEWISE.__getstate__()),
                    ],
                }
            },
            "does not give back the text: 'Hello  World",
        ),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}}}, "its model is WordPiece"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0]]}}, "its model is Unigram"),
        ({"model": None}, "it has no model with a vocabulary"),
    ],
)
def test_a_tokenizer_that_changes_text_is_refused_with_the_reason(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert words in refusal(write(KINDS["smol"](), tmp_path, **changes))


def test_merges_left_out_at_random_are_refused(tmp_path: Path) -> None:
    assert "dropout = 0.1" in refusal(write(make(["</s>"], dropout=0.1), tmp_path))


def test_a_vocabulary_beyond_two_bytes_is_refused_with_its_size(tmp_path: Path) -> None:
    large = Tokenizer(models.BPE({"a": 0, "</s>": 1, "b": 2**16}, []))
    large.pre_tokenizer = BYTEWISE
    assert "has 65,537 token ids, and there can be 2 to 65,536" in refusal(write(large, tmp_path))


def test_bytes_without_a_token_are_named_as_the_cause(tmp_path: Path) -> None:
    small = Tokenizer(models.BPE({"a": 0, "b": 1, "</s>": 2}, []))
    small.pre_tokenizer = BYTEWISE
    file = find_tokenizer_file(str(write(small, tmp_path)))
    assert file
    assert load(file).encode(b"abba").tolist() == [0, 1, 1, 0]
    with pytest.raises(CorpusError, match=r"'abc' becomes 'ab'.*it lacks some bytes"):
        load(file).encode(b"abc")


def test_the_end_of_text_token_is_named_by_a_file_beside_it(tmp_path: Path) -> None:
    path = write(make(["<stop>", "</s>", "other"]), tmp_path)
    ends = []
    for name, named in (
        (None, None),
        ("special_tokens_map.json", "other"),
        ("tokenizer_config.json", {"content": "<stop>"}),  # counts before the other file
    ):
        if name:
            (tmp_path / name).write_text(json.dumps({"eos_token": named}))
        file = find_tokenizer_file(str(path))
        assert file
        ends.append(load(file).end_of_text)
    assert ends == [1, 2, 0]
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<nope>"}')
    assert "has eos_token = '<nope>', which is not one of its tokens" in refusal(path)


def test_without_an_end_of_text_token_the_remedy_is_told(tmp_path: Path) -> None:
    path = write(make([]), tmp_path)
    assert refusal(path).endswith(
        f'write {{"eos_token": "NAME"}} to {tmp_path}/tokenizer_config.json; if it has none, add one '
        'with `Tokenizer.add_special_tokens(["<|endoftext|>"])`'
    )


def test_gpt2s_older_files_are_one_tokenizer_with_the_newer_one(tmp_path: Path) -> None:
    fields = json.loads(make(["<|endoftext|>"]).to_str())
    (tmp_path / "vocab.json").write_text(json.dumps(fields["model"]["vocab"]))
    merges = [" ".join(pair) for pair in fields["model"]["merges"]]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    older = find_tokenizer_file(str(tmp_path))
    newer = find_tokenizer_file(str(write(make(["<|endoftext|>"]), tmp_path / "new")))
    assert older
    assert newer
    text = TEXTS[1].encode()
    assert load(older).encode(text).tolist() == load(newer).encode(text).tolist()


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("tok/tokenizer.json", ": there is no such file or folder; name a tokenizer.json or its"),
        ("EleutherAI/pythia-70m", "`hf download OWNER/NAME tokenizer.json"),
        (".", ": . has no tokenizer.json, and no vocab.json with a merges.txt"),
        ("/dev/zero", "/dev/zero is not a file of at most 64 MB"),
    ],
)
def test_a_path_without_a_tokenizer_is_refused(
    word: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError) as refused:
        find_tokenizer_file(word)
    assert words in str(refused.value)


@pytest.mark.parametrize("word", ["bytes", "gpt2", "bpe-300", "gpt3", "cl100k_base"])
def test_names_of_tokenizers_are_not_taken_for_paths(word: str) -> None:
    assert find_tokenizer_file(word) is None


def test_a_file_that_was_changed_is_not_taken_for_the_tokenizer_of_its_name(tmp_path: Path) -> None:
    file = find_tokenizer_file(str(write(make(["</s>"]), tmp_path)))
    assert file
    with pytest.raises(CorpusError, match=f"x is not the tokenizer {file.name}; restore that file"):
        parse_tokenizer(file.content + b" ", "x", file.name)
