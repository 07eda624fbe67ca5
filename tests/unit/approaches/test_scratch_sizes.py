"""Which pieces an alphabet is cut into, and what each form of model costs."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import TrainingFacts, image_shape, memory_bytes, resolve, scratch
from zenml_ftvr.approaches.facts import activation_bytes
from zenml_ftvr.approaches.pretraining import pretraining_steps
from zenml_ftvr.data import measure_alphabet, read_corpus
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import Alphabet, Form, Full, Lora, Scratch, TokenizerKind

FORMS: tuple[Form, ...] = get_args(Form)

ENGLISH = [
    "The mast and the keel of a ship are old, and so is the rudder.",
    "A harbour is where tides and anchors meet a breeze of 12 knots!",
]
DNA = ["ACGTTGCAACGGTACC", "GGCATTACGNACGT"]
CHINESE = ["\N{CJK UNIFIED IDEOGRAPH-4F60}\N{CJK UNIFIED IDEOGRAPH-597D}" * 4] + [
    "".join(chr(0x4E00 + 13 * k + 7 * i) for k in range(60)) for i in range(4)
]
THAI_AND_LATIN = ["".join(chr(0x0E01 + (k * i) % 46) for k in range(40)) + " ok" for i in range(9)]
OPCODES = ["mov add jmp", "MAJRMAJPPX", "PPXMMAJ"]
BINARY = ["\x7fELF\x02\x01\x01\x00\x00\x03\x00>\x00 text", "\x00\x00\x90\x01 more of it"]
URLS = [f"https://one.example/a-b_c?d={i}&e=%20{i * 7}~Zz#@{i}" for i in range(40)]
URLS += ["QWRTYUIOPSDFGHJKLXVBNMqjk$;()*+'!,"]


def facts(alphabet: Alphabet | None = None, form: Form = "encoder", **more: Any) -> TrainingFacts:
    few = {"n_train": 4_000, "n_validation": 800, "n_test": 800, "n_classes": 3, "n_words": 80_000}
    return TrainingFacts(**{**few, **more}, form=form, alphabet=alphabet)


@pytest.mark.parametrize(
    ("texts", "encoder", "decoder", "because"),
    [
        (ENGLISH, "wordpiece", "bpe", "characters between spaces"),
        (DNA, "characters", "characters", "5 different ones, and 0.0% white space"),
        (OPCODES[1:], "characters", "characters", "sequences of symbols"),
        (CHINESE, "unigram", "bpe", "100% of the characters are of scripts without spaces"),
        (THAI_AND_LATIN, "unigram", "bpe", "93% of the characters are of scripts without spaces"),
        (URLS, "unigram", "bpe", "only 0.0% of the characters are white space"),
        (BINARY, "bytes", "bytes", "are control codes"),
    ],
    ids=["english", "dna", "opcodes", "chinese", "thai", "urls", "binary"],
)
def test_the_alphabet_decides_how_text_is_cut(
    texts: list[str], encoder: TokenizerKind, decoder: TokenizerKind, because: str
) -> None:
    alphabet = measure_alphabet(texts)
    for form, kind in (("encoder", encoder), ("decoder", decoder), ("encoder-decoder", decoder)):
        resolved, reasons = resolve(Scratch(), facts(alphabet, form))  # type: ignore[arg-type]
        assert isinstance(resolved, Scratch)
        assert resolved.tokenizer == kind
        if form == "encoder":
            assert any(because in reason for reason in reasons)


def test_a_tokenizer_that_is_asked_for_is_used_and_needs_no_reason() -> None:
    resolved, reasons = resolve(Scratch(tokenizer="bytes"), facts(measure_alphabet(ENGLISH)))
    assert isinstance(resolved, Scratch)
    assert resolved.tokenizer == "bytes"
    assert not any("between spaces" in reason for reason in reasons)


def test_docstrings_are_words_and_their_cipher_too() -> None:
    for corpus in ("docstrings", "docstrings-cipher"):
        alphabet = measure_alphabet(read_corpus(corpus)[0])
        assert scratch.tokenizer_for(alphabet, "encoder")[0] == "wordpiece"
        assert 0.1 < alphabet.space_share < 0.3
        assert alphabet.control_share < 1e-3


def test_an_alphabet_is_counted() -> None:
    alphabet = measure_alphabet(["ab ab\n", "\N{CJK UNIFIED IDEOGRAPH-4F60}\x00 "])
    assert alphabet == Alphabet(
        n_distinct=4,
        space_share=3 / 9,
        mean_word_length=2.0,
        control_share=1 / 9,
        unspaced_share=1 / 9,
    )


def test_of_very_many_texts_a_sample_is_counted_evenly() -> None:
    few = measure_alphabet(["ab c"] * 100)
    many = measure_alphabet(["ab c"] * 60_001)
    assert many == few


def test_no_text_has_no_alphabet() -> None:
    with pytest.raises(DataError, match="2 texts hold no character"):
        measure_alphabet(["", " \n"])


def test_every_character_has_room_in_the_vocabulary() -> None:
    alphabet = measure_alphabet(CHINESE)
    for kind in ("unigram", "wordpiece", "bpe", "characters"):
        size, _ = scratch.vocabulary_for(kind, facts(alphabet, n_words=100))
        assert size > alphabet.n_distinct
    assert scratch.vocabulary_for("bytes", facts(alphabet))[0] == 288


@pytest.mark.parametrize("form", FORMS)
@given(n_words=st.integers(2, 10**10), n_train=st.integers(2, 10**6))
def test_resolving_again_changes_nothing(form: Form, n_words: int, n_train: int) -> None:
    known = facts(None, form, n_words=n_words, n_train=n_train)
    once, _ = resolve(Scratch(), known)
    assert resolve(once, known) == (once, ())


@given(tokens=st.floats(0, 1e13))
def test_an_encoder_decoder_of_a_depth_costs_more_and_so_is_no_deeper(tokens: float) -> None:
    assert scratch.depth_for(tokens, "encoder-decoder") <= scratch.depth_for(tokens, "decoder")


def test_images_have_no_pieces() -> None:
    resolved, reasons = resolve(Scratch(), facts(None, "image-encoder", n_words=1_797 * 16))
    assert isinstance(resolved, Scratch)
    assert (resolved.tokenizer, resolved.vocabulary_size, resolved.depth) == (None, None, 2)
    assert any("28,752 patches of the training images" in reason for reason in reasons)
    with pytest.raises(ConfigurationError, match="these rows are images"):
        resolve(Scratch(tokenizer="bpe"), facts(None, "image-encoder"))


def test_a_generating_model_pays_for_its_scores_of_all_pieces() -> None:
    encoder, decoder, both = (
        scratch.architecture(4, 5_000, 128, form)
        for form in ("encoder", "decoder", "encoder-decoder")
    )
    output = 6 * 5_000 * 256
    body = 12 * 4 * 256**2
    assert scratch.flops_per_token(encoder) == 6 * (body + 130 * 256)
    assert scratch.flops_per_token(decoder) == 6 * (body + 128 * 256) + output
    assert scratch.flops_per_token(both) == (6 * (body * 28 / 12 + 256 * 256) + output) / 2
    # 12 bytes a score, at 8 x 128 positions; three more tensors of the feed-forward's width.
    scores = 12 * 5_000 * 8 * 128
    written_out = 4 * 8 * 128 * 3 * 4 * (4 * 256)
    kept = [activation_bytes(one, 8, 128) for one in (encoder, decoder, both)]
    assert kept[1] - kept[0] == scores + written_out
    assert kept[2] > kept[0] + scores


def test_an_image_costs_its_patches_whatever_the_length_of_texts() -> None:
    digits = image_shape(8, 1)
    own = scratch.architecture(2, 0, 17, "image-encoder", digits)
    small, smaller = (
        memory_bytes(Scratch(depth=2), None, length, form="image-encoder", image=digits)
        for length in (17, 4_096)
    )
    assert small == smaller
    assert own.n_body_params == own.n_params
    large = memory_bytes(Scratch(depth=2), None, 1, form="image-encoder", image=image_shape(224, 3))
    assert large > memory_bytes(Scratch(depth=2), None, 1, form="image-encoder", image=digits)


def test_unlabelled_text_pays_for_a_deeper_model() -> None:
    pretrained = Scratch(pretrain_on="more.txt")
    alone, _ = resolve(Scratch(), facts())
    more, reasons = resolve(pretrained, facts(n_pretrain_words=50_000_000))
    assert isinstance(alone, Scratch)
    assert isinstance(more, Scratch)
    assert more.pretrain_epochs == 4
    assert (alone.depth or 0) + 1 < (more.depth or 0)
    assert "4 epochs on the unlabelled texts of more.txt: worth 3.73 of fresh text" in reasons[0]
    assert any("and 50,000,000 without labels, 4 times" in reason for reason in reasons)


@pytest.mark.parametrize("kind", [Full, Lora])
def test_continued_pretraining_says_how_long(kind: type[Full] | type[Lora]) -> None:
    resolved, reasons = resolve(kind(pretrain_on="more.txt"), facts())
    assert isinstance(resolved, Full | Lora)
    assert resolved.pretrain_epochs == 4
    assert "worth 3.73 of fresh text" in reasons[0]
    assert resolve(resolved, facts()) == (resolved, ())
    with pytest.raises(ConfigurationError, match="no texts are named to pretrain on"):
        kind(pretrain_epochs=2)


def test_an_unknown_tokenizer_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown Scratch.tokenizer 'wordpeice'"):
        Scratch(tokenizer="wordpeice")  # type: ignore[arg-type]


def test_steps_of_pretraining_cover_the_epochs() -> None:
    assert pretraining_steps(100, 1.5, 16) == 10
    assert pretraining_steps(3, 1, 16) == 1
