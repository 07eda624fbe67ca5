"""The built-in corpora: what is read, that it is always the same, and the cipher."""

from __future__ import annotations

import hashlib
import json
import os
import string
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.data import CORPORA, make_dataset, normalise, read_corpus
from zenml_ftvr.data.corpora import encipher
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

Corpus = tuple[list[str], list[str]]
WriteModules = Callable[[dict[str, str]], None]


@pytest.fixture(scope="module")
def plain() -> Corpus:
    return read_corpus("docstrings")


@pytest.fixture(scope="module")
def cipher() -> Corpus:
    return read_corpus("docstrings-cipher")


@pytest.fixture
def write_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModules:
    """Put sources where the standard library is looked for."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))

    def write(sources: dict[str, str]) -> None:
        for name, source in sources.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(source)

    return write


@pytest.fixture
def ten_modules(write_modules: WriteModules) -> None:
    write_modules({f"module{n}.py": f'"""The docstring of module {n}."""' for n in range(10)})


# --- the texts


def test_there_are_thousands_of_rows_in_ten_classes(plain: Corpus) -> None:
    texts, labels = plain
    assert len(texts) == len(labels) > 2_000
    assert len(set(labels)) == 10
    assert min(Counter(labels).values()) >= 50


def test_no_docstring_is_in_two_classes_or_twice(plain: Corpus) -> None:
    texts, _ = plain
    assert len({normalise(text) for text in texts}) == len(texts)


def test_a_docstring_is_that_of_its_module(plain: Corpus) -> None:
    import asyncio
    import inspect

    label_of = dict(zip(*plain, strict=True))
    documented = [asyncio.timeout, asyncio.gather, asyncio.Queue, asyncio.TaskGroup]
    found = [label_of.get(inspect.getdoc(thing) or "") for thing in documented]
    assert found.count("asyncio") >= 3  # a docstring may have moved


def test_docstrings_have_four_words_or_more(plain: Corpus) -> None:
    texts, _ = plain
    assert min(len(text.split()) for text in texts) == 4


def test_rows_are_not_in_the_order_of_their_classes(plain: Corpus) -> None:
    _, labels = plain
    changes = sum(one != other for one, other in pairwise(labels))
    assert changes > len(labels) / 2


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_can_be_split_as_it_is(name: str, plain: Corpus, cipher: Corpus) -> None:
    texts, labels = plain if name == "docstrings" else cipher
    dataset = make_dataset(DataSource(name=name), texts, labels)
    assert len(dataset.labels) == 10
    assert (dataset.n_duplicates, dataset.n_conflicts, dataset.n_dropped) == (0, 0, 0)
    assert len(dataset.test) == pytest.approx(0.15 * len(texts), rel=0.2)


def test_another_process_reads_the_same_corpus(cipher: Corpus) -> None:
    code = """
import hashlib, json
from zenml_ftvr.data import read_corpus
print(hashlib.sha256(json.dumps(read_corpus("docstrings-cipher")).encode()).hexdigest())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(json.dumps(cipher).encode()).hexdigest()


# --- which docstrings, on a small library


@pytest.mark.usefixtures("ten_modules")
def test_the_label_is_the_top_level_module_or_package(write_modules: WriteModules) -> None:
    write_modules({"module3.py": "", "package/deep/inner.py": 'def f():\n    """Deep in there."""'})
    write_modules({"package/other.py": 'class C:\n    """A class\n        of that package."""'})
    texts, labels = read_corpus("docstrings")
    pairs = dict(zip(texts, labels, strict=True))
    assert len(pairs) == 10  # "Deep in there." is too short
    assert pairs["A class\nof that package."] == "package"
    assert pairs["The docstring of module 7."] == "module7"


@pytest.mark.usefixtures("ten_modules")
def test_what_is_no_public_library_code_is_left_out(write_modules: WriteModules) -> None:
    source = '"""The docstring of something else."""'
    names = [
        "_private.py",
        "_private/inner.py",
        "site-packages/numpy/core.py",
        "test/test_os.py",
        "module1/tests/test_it.py",
        "config-3.11/python-config.py",
        "lib2to3/pytree.py",
    ]
    write_modules(dict.fromkeys(names, source))
    texts, labels = read_corpus("docstrings")
    assert sorted(labels) == [f"module{number}" for number in range(10)]
    assert "The docstring of something else." not in texts


@pytest.mark.usefixtures("ten_modules")
def test_a_docstring_of_two_modules_is_left_out(write_modules: WriteModules) -> None:
    shared = 'def f():\n    """Shared by two modules."""\n'
    again = 'def f():\n    """Shared   by two Modules."""\n'
    twice = 'def f():\n    """Twice in one module."""\n'
    write_modules({"module1.py": '"""Docstring of module one."""\n' + shared + twice + twice})
    write_modules({"module2.py": '"""Docstring of module two."""\n' + again})
    texts, labels = read_corpus("docstrings")
    assert not [text for text in texts if text.startswith("Shared")]
    assert texts.count("Twice in one module.") == 1
    assert Counter(labels)["module2"] == 1


@pytest.mark.usefixtures("ten_modules")
def test_only_the_ten_largest_modules_are_classes(write_modules: WriteModules) -> None:
    functions = "".join(f'def f{n}():\n    """The function number {n}."""\n' for n in range(3))
    write_modules({"large.py": functions})
    _, labels = read_corpus("docstrings")
    assert len(set(labels)) == 10
    assert Counter(labels)["large"] == 3


@pytest.mark.usefixtures("ten_modules")
def test_a_source_that_cannot_be_parsed_is_passed_over(
    write_modules: WriteModules, tmp_path: Path
) -> None:
    write_modules({"template.py": '"""A template and no source."""\ndef ${name}(): ...\n'})
    (tmp_path / "bytes.py").write_bytes(b'"""No encoding was declared: \xe9."""')
    (tmp_path / "null.py").write_bytes(b'"""There is a zero in here."""\n\0')
    _, labels = read_corpus("docstrings")
    assert sorted(labels) == [f"module{number}" for number in range(10)]


def test_an_interpreter_without_sources_is_refused(
    write_modules: WriteModules, tmp_path: Path
) -> None:
    write_modules({"one.py": '"""The only docstring here."""'})
    with pytest.raises(DataError, match=rf"{tmp_path} holds docstrings of 1 modules\. Use an int"):
        read_corpus("docstrings")


@pytest.mark.usefixtures("ten_modules")
def test_the_seed_draws_the_order_and_the_cipher() -> None:
    one, other = read_corpus("docstrings", seed=0), read_corpus("docstrings", seed=1)
    assert one != other
    assert sorted(zip(*one, strict=True)) == sorted(zip(*other, strict=True))
    assert encipher(one[0], 0) != encipher(one[0], 1)
    assert encipher(one[0], 0) == encipher(one[0], 0)


# --- the cipher


def _images(texts: list[str], ciphered: list[str]) -> dict[str, set[str]]:
    """What each character became."""
    images: dict[str, set[str]] = defaultdict(set)
    for text, secret in zip(texts, ciphered, strict=True):
        assert len(text) == len(secret)
        for character, image in zip(text, secret, strict=True):
            images[character].add(image)
    return images


def test_the_cipher_keeps_labels_and_their_order(plain: Corpus, cipher: Corpus) -> None:
    assert cipher[1] == plain[1]


def test_every_letter_of_the_corpus_becomes_another_always_the_same(
    plain: Corpus, cipher: Corpus
) -> None:
    images = _images(plain[0], cipher[0])
    assert set(string.ascii_letters) <= images.keys()
    assert all(len(image) == 1 for image in images.values())
    table = {character: image.pop() for character, image in images.items()}
    assert len(set(table.values())) == len(table)
    assert not [letter for letter in table if letter.isalpha() and table[letter] == letter]


def test_the_cipher_of_the_corpus_keeps_case_and_all_that_is_no_letter(
    plain: Corpus, cipher: Corpus
) -> None:
    table = {old: new.pop() for old, new in _images(plain[0], cipher[0]).items()}
    assert not [old for old, new in table.items() if not old.isalpha() and old != new]
    for letter in string.ascii_lowercase:
        assert table[letter] in string.ascii_lowercase
        assert table[letter.upper()] == table[letter].upper()


def test_no_ciphered_text_is_in_two_classes_or_twice(cipher: Corpus) -> None:
    assert len({normalise(text) for text in cipher[0]}) == len(cipher[0])


# Letters of every kind: with and without case, with more than one lower or upper form.
letters = st.one_of(
    st.characters(categories=("L",)), st.sampled_from("aAzéÉßẞıİſKΩςσΣªǅǆǄאבא中ა\u1c90ꭰᎠ")
)
texts_of_any_letter = st.lists(
    st.text(st.one_of(letters, st.characters()), max_size=30), max_size=5
)


@settings(deadline=None, max_examples=300)
@given(texts=texts_of_any_letter, seed=st.integers(0, 3))
def test_any_text_is_enciphered_one_to_one(texts: list[str], seed: int) -> None:
    images = _images(texts, encipher(texts, seed))
    assert all(len(image) == 1 for image in images.values())
    assert len(set().union(*images.values())) == len(images)


@settings(deadline=None, max_examples=300)
@given(texts=texts_of_any_letter, seed=st.integers(0, 3))
def test_no_letter_of_any_text_stays_itself_and_all_else_does(texts: list[str], seed: int) -> None:
    for character, image in _images(texts, encipher(texts, seed)).items():
        assert (character in image) == (not character.isalpha())
        assert all(new.isalpha() == character.isalpha() for new in image)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("abcxyzéüñğжщδλა"), min_size=1), seed=st.integers(0, 3))
def test_a_text_in_capitals_becomes_its_cipher_in_capitals(text: str, seed: int) -> None:
    small, large = encipher([text, text.upper()], seed)
    assert large == small.upper()
    assert small == small.lower()


@pytest.mark.parametrize("text", ["a", "Z", "א", "中", "ß"])
def test_a_lone_letter_becomes_another(text: str) -> None:
    (secret,) = encipher([text], 0)
    assert secret != text
    assert secret.isalpha()
    assert secret.isupper() == text.isupper()
