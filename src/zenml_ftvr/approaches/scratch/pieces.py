"""How text is cut into pieces, and how many there are: from the alphabet of the data."""

from __future__ import annotations

from zenml_ftvr.approaches.facts import TrainingFacts
from zenml_ftvr.values import Alphabet, Form, TokenizerKind

__all__ = ["MAX_VOCABULARY", "MIN_VOCABULARY", "tokenizer_for", "vocabulary_for"]

WORDS_PER_PIECE = 12
"""A vocabulary of one piece for every so many words of text gives each piece several examples:
benchmarks/results/learning_rates.jsonl trained 6,500 pieces on about 78,000 words."""
MIN_VOCABULARY, MAX_VOCABULARY = 1_000, 30_000  # bytes and frequent pairs; BERT's own 30,522

MUCH_CONTROL = 0.01
"""Share of control codes and unassigned characters from which text is taken for bytes: one in a
hundred is no accident of an encoding. A judgement."""
FEW_SPACES = 0.03
"""Share of white space below which words cannot be told apart by it: English has one space in six
characters (Norvig 2013, norvig.com/mayzner), a word of 33 letters is none. A judgement."""
MOSTLY_UNSPACED = 0.5  # share of letters of scripts without spaces: more than half. A judgement
FEW_SYMBOLS = 64
"""Up to so many symbols without spaces are taken for an alphabet of their own kind: nucleotides 4
to 16, amino acids 20 to 26, hexadecimal 16, base64 64. A judgement."""

N_BYTES = 256
ROOM = 32  # special tokens, at most 5, and Unicode's 25 kinds of white space
PIECES_PER_CHARACTER = 2  # one that begins a word and one that goes on


def tokenizer_for(alphabet: Alphabet | None, form: Form) -> tuple[TokenizerKind, str]:
    """The tokenizer that suits an alphabet, and why."""
    words: TokenizerKind = "wordpiece" if form == "encoder" else "bpe"
    if alphabet is None:
        return words, f"{words} tokenizer: for texts in words; the alphabet was not measured."
    if alphabet.control_share > MUCH_CONTROL:
        return "bytes", (
            f"bytes as pieces: {alphabet.control_share:.1%} of the characters are control codes or "
            f"none at all (Xue et al. 2022, arXiv 2105.13626)."
        )
    unspaced = alphabet.unspaced_share > MOSTLY_UNSPACED
    few_spaces = alphabet.space_share < FEW_SPACES
    if few_spaces and not unspaced and alphabet.n_distinct <= FEW_SYMBOLS:
        return "characters", (
            f"characters as pieces: {alphabet.n_distinct} different ones, and "
            f"{alphabet.space_share:.1%} white space: sequences of symbols, not words."
        )
    if few_spaces or unspaced:
        script = (
            f"{alphabet.unspaced_share:.0%} of the characters are of scripts without spaces"
            if unspaced
            else f"only {alphabet.space_share:.1%} of the characters are white space"
        )
        if form == "encoder":
            return "unigram", (
                f"unigram tokenizer: {script}, and it needs none to find pieces (Kudo 2018, "
                f"arXiv 1804.10959)."
            )
        return "bpe", f"byte-level bpe tokenizer: {script}, and what it cuts it can write."
    length = f"words of {alphabet.mean_word_length:.1f} characters between spaces"
    if form == "encoder":
        return words, f"wordpiece tokenizer: {length} (Devlin et al. 2019, arXiv 1810.04805)."
    return words, f"byte-level bpe tokenizer: {length}, and what it cuts it can write, bit for bit."


def vocabulary_for(kind: TokenizerKind, facts: TrainingFacts) -> tuple[int, str]:
    """How many pieces a tokenizer of `kind` is to have, and why."""
    n_distinct = 0 if facts.alphabet is None else facts.alphabet.n_distinct
    if kind == "bytes":
        return N_BYTES + ROOM, f"a vocabulary of {N_BYTES} bytes and what marks texts."
    if kind == "characters" and facts.alphabet is not None:
        size = min(MAX_VOCABULARY, n_distinct + ROOM)
        return size, f"a vocabulary of the {n_distinct:,} characters and what marks texts."
    wanted = round(facts.n_words // WORDS_PER_PIECE, -2)
    least = max(MIN_VOCABULARY, PIECES_PER_CHARACTER * n_distinct + ROOM)
    size = max(least, min(MAX_VOCABULARY, wanted))
    return size, (
        f"a vocabulary of {size:,} pieces: one for every {WORDS_PER_PIECE} words of the training "
        f"texts, within {least:,} and {max(least, MAX_VOCABULARY):,}."
    )
