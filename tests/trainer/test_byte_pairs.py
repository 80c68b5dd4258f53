"""`bpe-N`: made with Hugging Face's `tokenizers`, run by tiktoken, and the same in both."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext.openai_public import r50k_pat_str
from tokenizers import Regex, normalizers
from tokenizers import Tokenizer as HuggingFace

from tests.patience import PATIENCE
from trainer.corpora.tokenizer import (
    BytePairTokenizer,
    ByteTokenizer,
    byte_letters,
    load_tokenizer,
    read_tokenizer,
    train_tokenizer,
)
from trainer.errors import CorpusError
from trainer.sources.standard_library import standard_library
from trainer.tokens import TOKENIZER_FILE

SCRIPTS = """\
Der schnelle braune Fuchs, Größe und Maß. Ταχεία αλώπηξ. Съешь же ещё этих мягких булок.
いろはにほへと ちりぬるを。天地玄黃,宇宙洪荒。키스의 고유조건은 입술끼리 만나야 한다.
صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت — דג סקרן שט בים. ऋषियों को सताने वाले दुष्ट राक्षसों।
เป็นมนุษย์สุดประเสริฐ ງູຈົ່ວ ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ 👩‍👩‍👧‍👦🏳️‍🌈 e\u0301 \u00a0\u2003\u3000 12٣४ Ⅷ ½ I'll we've 'S
\t\t\tdef f(self):\r\n    return {'a': [1, 22, 333]}  # 'll \n\n\n   trailing   """
TEXTS = [SCRIPTS * 3, *(document.text.decode() for document in standard_library()[:60])]
NAMES = ["bpe-258", "bpe-300", "bpe-2000"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with the tokenizer of a name, made from code and text of many scripts."""
    root = tmp_path_factory.mktemp("tokenizers")

    def find(name: str) -> Path:
        if not (root / name).exists():
            (root / name).mkdir()
            (root / name / TOKENIZER_FILE).write_bytes(train_tokenizer(name, TEXTS))
        return root / name

    return find


Pair = tuple[BytePairTokenizer, HuggingFace]


@pytest.fixture(scope="module", params=NAMES)
def both(request: pytest.FixtureRequest, folder: Callable[[str], Path]) -> Pair:
    """The tokenizer as runs use it, and as its own library runs it."""
    path = folder(request.param) / TOKENIZER_FILE
    theirs = HuggingFace.from_file(str(path))
    theirs.encode_special_tokens = True  # text that looks like a special token is text
    return read_tokenizer(path), theirs


def check_equal(both: Pair, text: str) -> None:
    ours, theirs = both
    ids = ours.encode(text.encode()).tolist()
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids) == text.encode()


def test_text_of_many_scripts_has_the_tokens_that_its_library_gives(both: Pair) -> None:
    for text in (SCRIPTS, *SCRIPTS.splitlines(), *TEXTS[1:8], "<|endoftext|>", ""):
        check_equal(both, text)


@settings(max_examples=150)
@given(text=st.text() | st.text(alphabet=sorted(set(SCRIPTS)), max_size=200))
def test_any_text_has_the_tokens_that_its_library_gives(both: Pair, text: str) -> None:
    check_equal(both, text)


@settings(max_examples=150)
@given(raw=st.binary(max_size=300))
def test_arbitrary_bytes_have_the_tokens_that_its_library_gives(both: Pair, raw: bytes) -> None:
    check_equal(both, raw.decode("latin-1"))
    check_equal(both, raw.decode(errors="replace"))


@settings(max_examples=100)
@given(data=st.data())
def test_any_tokens_decode_as_its_library_decodes_them(both: Pair, data: st.DataObject) -> None:
    ours, theirs = both
    ids = data.draw(st.lists(st.integers(0, ours.vocabulary - 1), max_size=50))
    assert ours.decode(ids).decode(errors="replace") == theirs.decode(
        ids, skip_special_tokens=False
    )


@pytest.mark.parametrize("characters", [r"\p{L}", r"\p{N}", r"\s"])
def test_both_libraries_agree_on_letters_numbers_and_spaces(characters: str) -> None:
    from tiktoken import Encoding  # noqa: PLC0415

    assert characters in r50k_pat_str
    all_of_unicode = "".join(chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000)
    one_each = {bytes([byte]): byte for byte in range(256)}
    chosen = Encoding("x", pat_str=characters, mergeable_ranks=one_each, special_tokens={})
    theirs = normalizers.Replace(Regex(characters), "").normalize_str(all_of_unicode)
    ours = chosen.decode(chosen.encode_ordinary(all_of_unicode))
    assert sorted(ours + theirs) == sorted(all_of_unicode)


def test_the_end_of_text_token_is_the_last(both: Pair) -> None:
    ours, theirs = both
    assert ours.end_of_text == ours.vocabulary - 1 == theirs.token_to_id("<|endoftext|>")
    assert theirs.get_vocab_size() == ours.vocabulary
    assert ours.decode([ours.end_of_text]) == b"<|endoftext|>"
    assert ours.end_of_text not in ours.encode(b"<|endoftext|>")


def test_a_text_can_be_decoded_token_by_token(both: Pair) -> None:
    ours, _ = both
    decoder = codecs.getincrementaldecoder("utf-8")()
    parts = [decoder.decode(ours.decode([token])) for token in ours.encode(SCRIPTS.encode())]
    assert "".join(parts) == SCRIPTS
    assert decoder.decode(b"", final=True) == ""


@pytest.mark.slow
def test_the_same_text_makes_the_same_tokenizer_in_every_process(
    root: Path, folder: Callable[[str], Path]
) -> None:
    code = (
        "import sys; from tests.trainer.test_byte_pairs import TEXTS, train_tokenizer\n"
        "sys.stdout.buffer.write(train_tokenizer('bpe-2000', TEXTS))"
    )
    command = [sys.executable, "-c", code]
    made = subprocess.run(
        command, cwd=root, capture_output=True, check=True, timeout=PATIENCE
    ).stdout
    assert made == (folder("bpe-2000") / TOKENIZER_FILE).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_tokenizer_is_found_by_its_name_and_the_folder_of_its_corpus(
    name: str, folder: Callable[[str], Path]
) -> None:
    tokenizer = load_tokenizer(name, folder(name))
    assert tokenizer.vocabulary == int(name.removeprefix("bpe-"))
    with pytest.raises(CorpusError) as refused:
        load_tokenizer(name)
    assert str(refused.value) == (
        f"data.tokenizer = '{name}' is made from a corpus; name the folder of one that is prepared"
    )


def test_the_byte_tokenizer_can_be_written_as_tokenizer_json(tmp_path: Path) -> None:
    read = read_from(tmp_path, {"model": {"vocab": byte_letters(), "merges": []}})
    text = SCRIPTS.encode()
    assert read.encode(text).tolist() == ByteTokenizer().encode(text).tolist()
    assert read.end_of_text == ByteTokenizer.end_of_text


def read_from(folder: Path, content: object) -> BytePairTokenizer:
    (folder / TOKENIZER_FILE).write_text(json.dumps(content))
    return read_tokenizer(folder / TOKENIZER_FILE)


def test_a_text_too_small_for_the_vocabulary_is_refused_with_a_message() -> None:
    with pytest.raises(CorpusError) as refused:
        train_tokenizer("bpe-4096", ["abab abc"])
    assert str(refused.value) == (
        "data.tokenizer = 'bpe-4096' cannot be made: the training text yields no more than 261 "
        "tokens; use bpe-261"
    )
    train_tokenizer("bpe-261", ["abab abc"])
    with pytest.raises(CorpusError, match=r"no more than 257 tokens; use bytes$"):
        train_tokenizer("bpe-258", [""])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value"),
        ("{}", "'model'"),
        ("[]", "list"),
        ('{"model": {"vocab": {"a": 1}, "merges": []}}', "ids are missing"),
        ('{"model": {"vocab": {"三": 0}, "merges": []}}', "三"),
    ],
)
def test_a_file_that_is_not_a_tokenizer_is_refused_with_a_message(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / TOKENIZER_FILE
    path.write_text(content)
    with pytest.raises(CorpusError) as refused:
        read_tokenizer(path)
    message = str(refused.value)
    assert message.startswith(f"{path} is not a byte-level BPE tokenizer of Hugging Face's (")
    assert reason in message
    assert message.endswith("); remove the folder that it lies in and prepare the corpus again")


def test_merges_in_another_order_are_refused(folder: Callable[[str], Path], tmp_path: Path) -> None:
    content = json.loads((folder("bpe-300") / TOKENIZER_FILE).read_bytes())
    content["model"]["merges"].reverse()
    with pytest.raises(CorpusError, match="its ids are not in the order of its merges"):
        read_from(tmp_path, content)


LONG = ["=", "a", " ", "\n", "7", "三", "ab"]


@pytest.mark.parametrize("unit", LONG)
def test_a_long_word_takes_time_in_proportion_to_its_length(unit: str) -> None:
    spent = []
    for length in (200_000, 1_600_000):  # by the square of its length: 10 s, and 640 s
        text = "one two three " * 2_000 + unit * (length // len(unit))
        before = time.process_time()
        train_tokenizer("bpe-262", [text])
        spent.append(time.process_time() - before)
    assert spent[1] < 20 * max(spent[0], 0.5)


def test_words_of_up_to_1000_bytes_are_not_cut() -> None:
    from tokenizers import models, pre_tokenizers, trainers  # noqa: PLC0415

    texts = [*TEXTS[:12], *("x" * length + " " for length in (999, 1_000)), "三" * 333]
    made = HuggingFace(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner = trainers.BpeTrainer(
        vocab_size=299,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, learner)
    ours = json.loads(train_tokenizer("bpe-300", texts))
    theirs = json.loads(made.to_str())
    assert ours["model"] == theirs["model"]
    assert ours["pre_tokenizer"] == theirs["pre_tokenizer"]
    longer = json.loads(train_tokenizer("bpe-300", [*texts, " x" * 9 + "x" * 3_000]))
    assert longer["pre_tokenizer"] == theirs["pre_tokenizer"]


def test_the_error_of_an_unreadable_text_is_raised() -> None:
    def texts() -> Iterator[str]:
        yield "one two three"
        raise CorpusError("text")

    with pytest.raises(CorpusError, match=r"^text$"):
        train_tokenizer("bpe-258", texts())
