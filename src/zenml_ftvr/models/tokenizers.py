"""Tokenizers of our own, trained on the texts at hand: equal texts make equal tokenizers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import Form, TokenizerKind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["N_BYTES", "Texts", "special_tokens", "train_tokenizer"]

Texts: TypeAlias = Sequence[str] | Callable[[], Iterable[str]]
"""Texts in memory, or what gives them anew at every call, so that they need not be in memory."""

N_BYTES = 256
PAD, UNKNOWN, FIRST, LAST, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
BEGIN, END = "[BOS]", "[EOS]"
SCORE_DIGITS = 3
"""Of a Unigram piece's log-probability. The library sums it in the order of a hash table, another
in every process: its results differed by up to 4e-11 between processes."""


def train_tokenizer(
    texts: Texts,
    vocabulary_size: int,
    max_length: int,
    *,
    kind: TokenizerKind = "wordpiece",
    form: Form = "encoder",
) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `vocabulary_size` pieces for a model of `form`, from `texts`.

    `bpe` (byte-level; Sennrich et al. 2016, arXiv 1508.07909), `bytes` (Xue et al. 2022, arXiv
    2105.13626) and `characters` decode to the very text; `wordpiece` (lower-cased; Devlin et al.
    2019) and `unigram` (NFKC; Kudo 2018, arXiv 1804.10959) do not. `wordpiece`, `unigram` and
    `characters` read a character that no text had as [UNK]. What a text says is never a special
    token, not even "[SEP]". Raises `ConfigurationError` for too small a vocabulary.

    An encoder's text stands between [CLS] and [SEP]; a decoder's begins with [BOS], and whoever
    lays documents end to end puts [EOS] after each; an encoder-decoder's ends with [EOS], and its
    decoder starts from [PAD].
    """
    from transformers import PreTrainedTokenizerFast

    special = special_tokens(kind, form)
    inner = _trained(texts, kind, vocabulary_size, special)
    inner.add_special_tokens(list(special.values()))
    _frame(inner, form)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=max_length,
        split_special_tokens=True,  # "[SEP]" in a text is five characters like any other
        clean_up_tokenization_spaces=False,  # it would take away blanks before full stops
        **special,
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


def special_tokens(kind: TokenizerKind, form: Form) -> dict[str, str]:
    """The special tokens of a kind for a form, by transformers' names, in the order of their ids.

    Where any byte is a piece, nothing is unknown.
    """
    tokens = {"pad_token": PAD}
    if kind in ("wordpiece", "unigram", "characters"):
        tokens["unk_token"] = UNKNOWN
    match form:
        case "encoder":
            return tokens | {"cls_token": FIRST, "sep_token": LAST, "mask_token": MASK}
        case "decoder":
            return tokens | {"bos_token": BEGIN, "eos_token": END}
        case "encoder-decoder":
            return tokens | {"eos_token": END, "mask_token": MASK}
        case "image-encoder":
            raise ConfigurationError("a model of images reads no text, and has no tokenizer.")
        case _:
            assert_never(form)


def _each(texts: Texts) -> Iterator[str]:
    return iter(texts() if callable(texts) else texts)


def _trained(
    texts: Texts, kind: TokenizerKind, vocabulary_size: int, special: dict[str, str]
) -> Any:
    names = list(special.values())
    match kind:
        case "wordpiece":
            return _wordpiece(texts, vocabulary_size, names)
        case "bpe":
            return _byte_pairs(texts, vocabulary_size, names)
        case "unigram":
            return _unigram(texts, vocabulary_size, names)
        case "characters":
            return _characters(texts, vocabulary_size, names)
        case "bytes":
            return _bytes(names)
        case _:
            assert_never(kind)


def _frame(inner: Any, form: Form) -> None:
    """Put the form's special tokens around each text."""
    from tokenizers.processors import TemplateProcessing

    match form:
        case "encoder":
            single, pair = f"{FIRST} $A {LAST}", f"{FIRST} $A {LAST} $B {LAST}"
        case "decoder":
            single, pair = f"{BEGIN} $A", f"{BEGIN} $A $B"
        case "encoder-decoder":
            single, pair = f"$A {END}", f"$A {END} $B {END}"
        case "image-encoder":  # refused before
            return
        case _:
            assert_never(form)
    named = [name for name in (FIRST, LAST, BEGIN, END) if name in single]
    inner.post_processor = TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(name, inner.token_to_id(name)) for name in named],
    )


def _wordpiece(texts: Texts, vocabulary_size: int, special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.decoders import WordPiece as WordPieceDecoder
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.trainers import WordPieceTrainer

    normalizer, pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    # The library numbers the letters that continue a word in the order of a hash table, another in
    # every process, and breaks ties by number. Named first, they give equal texts equal pieces.
    letters = sorted(normalizer.normalize_str("".join(sorted(set().union(*_each(texts))))))
    continuing = [
        f"##{letter}"
        for letter in dict.fromkeys(letters)
        if pre_tokenizer.pre_tokenize_str(f"a{letter}")[0][0] == f"a{letter}"
    ]
    trainer = WordPieceTrainer(
        vocab_size=vocabulary_size, special_tokens=special + continuing, show_progress=False
    )
    counted = Tokenizer(WordPiece(unk_token=UNKNOWN))
    counted.normalizer, counted.pre_tokenizer = normalizer, pre_tokenizer
    counted.train_from_iterator(_each(texts), trainer)
    tokenizer = Tokenizer(WordPiece(counted.get_vocab(), unk_token=UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.decoder = WordPieceDecoder(cleanup=False)
    return tokenizer


def _byte_pairs(texts: Texts, vocabulary_size: int, special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer

    if vocabulary_size < N_BYTES + len(special):
        raise ConfigurationError(
            f"a vocabulary of {vocabulary_size} pieces has no room for {N_BYTES} bytes and "
            f"{len(special)} special tokens. Raise vocabulary_size to {N_BYTES + len(special)} or "
            f"more, or set tokenizer to 'characters'."
        )
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special,
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_each(texts), trainer)
    return tokenizer


def _bytes(special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    pieces = [*special, *sorted(ByteLevel.alphabet())]
    tokenizer = Tokenizer(BPE(_numbered(pieces), merges=[]))  # without merges, a piece a byte
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def _characters(texts: Texts, vocabulary_size: int, special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import BPE

    if vocabulary_size <= len(special):
        raise ConfigurationError(
            f"a vocabulary of {vocabulary_size} pieces has no room for a character beside "
            f"{len(special)} special tokens. Raise vocabulary_size."
        )
    counts: Counter[str] = Counter()
    for text in _each(texts):
        counts.update(text)
    # The commonest; of equally common ones those that come first in Unicode.
    common = sorted(counts, key=lambda character: (-counts[character], character))
    pieces = [*special, *common[: vocabulary_size - len(special)]]
    tokenizer = Tokenizer(BPE(_numbered(pieces), merges=[], unk_token=UNKNOWN, fuse_unk=False))
    tokenizer.decoder = Fuse()
    return tokenizer


def _unigram(texts: Texts, vocabulary_size: int, special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.decoders import Metaspace as MetaspaceDecoder
    from tokenizers.models import Unigram
    from tokenizers.normalizers import NFKC
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.trainers import UnigramTrainer

    normalizer, pre_tokenizer = NFKC(), Metaspace()
    letters = set(normalizer.normalize_str("".join(sorted(set().union(*_each(texts))))))
    least = len(letters) + len(special) + 1  # and the mark that begins a word
    if vocabulary_size < least:
        raise ConfigurationError(
            f"a vocabulary of {vocabulary_size} pieces has no room for the {len(letters)} "
            f"characters of the texts. Raise vocabulary_size to {least} or more, or set tokenizer "
            f"to 'bpe'."
        )
    counted = Tokenizer(Unigram())
    counted.normalizer, counted.pre_tokenizer = normalizer, pre_tokenizer
    trainer = UnigramTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special,
        unk_token=UNKNOWN,
        show_progress=False,
    )
    counted.train_from_iterator(_each(texts), trainer)
    scored = json.loads(counted.to_str())["model"]["vocab"]
    ordinary = _canonical([(piece, score) for piece, score in scored if piece not in special])
    vocabulary = [*((name, 0.0) for name in special), *ordinary]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=special.index(UNKNOWN)))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.decoder = MetaspaceDecoder()
    return tokenizer


def _canonical(scored: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Pieces and log-probabilities, the same in every process.

    The library scores characters that no piece needs in the order of a hash table, below all that
    it keeps for their worth: they get one score, and the rest are rounded.
    """
    floor = min((score for piece, score in scored if len(piece) > 1), default=-math.inf)
    below = floor - 10**-SCORE_DIGITS
    level = [
        (piece, round(floor - 1.0 if score < below else score, SCORE_DIGITS))
        for piece, score in scored
    ]
    return sorted(level, key=lambda pair: (-pair[1], pair[0]))


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(pieces)}
