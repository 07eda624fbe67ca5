"""Tokenizers of our own: what they keep of a text, and that equal texts make equal ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.tokenizers import train_tokenizer
from zenml_ftvr.values import Form, TokenizerKind

KINDS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)
FORMS: tuple[Form, ...] = ("encoder", "decoder", "encoder-decoder")
SIZES: dict[TokenizerKind, int] = {
    "bpe": 400,
    "wordpiece": 300,
    "unigram": 300,
    "characters": 300,
    "bytes": 300,
}
STEMS = ("mast", "keel", "rudder", "harbour", "tide", "anchor", "breeze", "hull", "Ünder")
ENDINGS = ("", "s", "ing", "ed", "er", "ers", "like", "less")
WORDS = [stem + ending for stem in STEMS for ending in ENDINGS] + ["the", "a", "of", ",."]
TEXTS = [
    " ".join(["the", *(WORDS[(i * k + 3) % len(WORDS)] for k in range(1, 9)), str(i)])
    for i in range(120)
]
ODD = [
    "  two  blanks\tand\n\nlines \r\n",
    "[SEP] [CLS][PAD] <s> [BOS][EOS] [MASK]",
    "don 't stop , now . ! n't",
    "\N{SNOWMAN} \N{GREEK SMALL LETTER XI}e\N{COMBINING ACUTE ACCENT}\N{GRINNING FACE}",
    "\x00\x1f\x7f\ufffd\u200b",
    "##mast ▁keel Ġhull",
]


@pytest.mark.parametrize("kind", ["bpe", "bytes"])
@pytest.mark.parametrize("form", FORMS)
def test_any_text_is_decoded_to_itself(kind: TokenizerKind, form: Form) -> None:
    tokenizer = train_tokenizer(TEXTS, SIZES[kind], 512, kind=kind, form=form)
    for text in (*TEXTS, *ODD):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.unk_token is None


@pytest.mark.parametrize("kind", ["bpe", "bytes", "characters"])
def test_all_of_unicode_is_decoded_to_itself(kind: TokenizerKind) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    def check(text: str) -> None:
        seen = [*TEXTS, text]
        tokenizer = train_tokenizer(seen, 10_000 if kind == "characters" else 400, 64, kind=kind)
        assert tokenizer.decode(tokenizer(text)["input_ids"][1:-1]) == text

    check()


def test_characters_keep_what_they_have_seen_and_mark_what_not() -> None:
    tokenizer = train_tokenizer([*TEXTS, *ODD], 300, 512, kind="characters")
    for text in (*TEXTS, *ODD):
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text) + 2
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.tokenize("m\N{CYRILLIC SMALL LETTER ZHE}\N{CYRILLIC SMALL LETTER ZHE}k") == [
        *("m", "[UNK]", "[UNK]", "k")
    ]


def test_of_more_characters_than_there_is_room_for_the_commonest_stay() -> None:
    tokenizer = train_tokenizer(["aaaa bbb cc d", "aab b"], 5 + 3, 16, kind="characters")
    assert tokenizer.tokenize("abcd ") == ["a", "b", "[UNK]", "[UNK]", " "]


def test_a_byte_is_a_piece() -> None:
    tokenizer = train_tokenizer(TEXTS, 300, 512, kind="bytes")
    assert len(tokenizer) == 256 + 4
    assert len(tokenizer("\N{SNOWMAN}a")["input_ids"]) == 3 + 1 + 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_is_no_larger_than_asked_and_knows_frequent_words(kind: TokenizerKind) -> None:
    tokenizer = train_tokenizer(TEXTS, SIZES[kind], 64, kind=kind)
    assert len(tokenizer) <= SIZES[kind]
    n_pieces = len(tokenizer.tokenize("the rudder harbours"))
    assert (n_pieces <= 9) == (kind in ("bpe", "wordpiece", "unigram"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_form_marks_a_text_in_its_way(kind: TokenizerKind) -> None:
    text = "mast keel"
    marks = {}
    for form in FORMS:
        tokenizer = train_tokenizer(TEXTS, SIZES[kind], 64, kind=kind, form=form)
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        plain = tokenizer.tokenize(text)
        assert tokenizer.pad_token_id == 0
        at = next(i for i in range(len(tokens)) if tokens[i : i + len(plain)] == plain)
        marks[form] = tokens[:at], tokens[at + len(plain) :]
    assert marks == {
        "encoder": (["[CLS]"], ["[SEP]"]),
        "decoder": (["[BOS]"], []),  # a prompt must not end where a document ends
        "encoder-decoder": ([], ["[EOS]"]),
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_what_its_training_needs(form: Form) -> None:
    tokenizer = train_tokenizer(TEXTS, 300, 64, form=form)
    assert (tokenizer.mask_token is None) == (form == "decoder")
    assert (tokenizer.eos_token is None) == (form == "encoder")
    assert (tokenizer.bos_token is None) == (form != "decoder")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_a_saved_tokenizer_says_the_same(kind: TokenizerKind, form: Form, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS, SIZES[kind], 48, kind=kind, form=form)
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    texts = [*TEXTS[:20], *ODD, "unheard-of " * 30]
    ids = tokenizer(texts, truncation=True)["input_ids"]
    assert again(texts, truncation=True)["input_ids"] == ids
    assert max(map(len, ids)) == 48 == again.model_max_length
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.decode(ids[0], skip_special_tokens=True) == tokenizer.decode(
        ids[0], skip_special_tokens=True
    )


@pytest.mark.parametrize("kind", KINDS)
def test_texts_need_not_be_in_memory(kind: TokenizerKind) -> None:
    def one_by_one() -> Iterator[str]:
        yield from TEXTS

    streamed = train_tokenizer(one_by_one, SIZES[kind], 64, kind=kind)
    held = train_tokenizer(TEXTS, SIZES[kind], 64, kind=kind)
    assert streamed.backend_tokenizer.to_str() == held.backend_tokenizer.to_str()


MANY = """
import hashlib, random
from zenml_ftvr.models.tokenizers import train_tokenizer
rng = random.Random(3)
letters = "abcdefghijklmnopqrstuvwxyz" + "".join(chr(0x410 + i) for i in range(60))
words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(500)]
texts = [" ".join(rng.choices(words, k=12)) for _ in range(400)]
for kind in ("bpe", "wordpiece", "unigram", "characters", "bytes"):
    tokenizer = train_tokenizer(texts, 700, 64, kind=kind)
    print(kind, hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest())
"""


def test_equal_texts_make_equal_tokenizers_in_every_process() -> None:
    said = set()
    for seed, parallel in (("0", "false"), ("1", "true"), ("12345", "false")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": parallel}
        done = subprocess.run(
            [sys.executable, "-c", MANY],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1
    assert len(said.pop().split()) == 2 * len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_texts_does_not_matter(kind: TokenizerKind) -> None:
    first, turned = (
        hashlib.sha256(
            train_tokenizer(texts, SIZES[kind], 64, kind=kind).backend_tokenizer.to_str().encode()
        ).hexdigest()
        for texts in (TEXTS, TEXTS[::-1])
    )
    assert first == turned


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        ("bpe", 200, "has no room for 256 bytes and 4 special tokens"),
        ("unigram", 12, "has no room for the .* characters of the texts"),
        ("characters", 4, "has no room for a character beside 5 special tokens"),
    ],
)
def test_too_small_a_vocabulary_is_refused(kind: TokenizerKind, size: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        train_tokenizer(TEXTS, size, 64, kind=kind)
