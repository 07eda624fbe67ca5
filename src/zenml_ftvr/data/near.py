"""Texts that are nearly the same: MinHash finds the candidates, their shingles decide.

Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, chapter 3 (shingles 3.2, MinHash 3.3, banding 3.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Signatures = npt.NDArray[np.uint32]

__all__ = ["NEAR", "WORDS_A_SHINGLE", "candidate_pairs", "jaccard", "shingles_of"]

NEAR = 0.8
"""Jaccard similarity of two texts' shingles from which on they are nearly the same: the threshold
of Lee et al. 2022, Deduplicating training data makes language models better, arXiv 2107.06499."""
WORDS_A_SHINGLE = 3
BANDS, ROWS_A_BAND = 21, 6
"""With similarity s, two texts share a band with probability 1 - (1 - s^6)^21: 0.998 at 0.8, and
0.28 at 0.5 (Leskovec et al., 3.4.2)."""
PERMUTATIONS = BANDS * ROWS_A_BAND  # 126: what whole bands of six leave of the usual 128
FEWEST_EQUAL = NEAR - 4 * (NEAR * (1 - NEAR) / PERMUTATIONS) ** 0.5
"""Share of equal entries of two signatures, below which a pair is no candidate: four standard
deviations of the estimate below the threshold."""
MOST_FOLLOWING = 20
"""Texts of one bucket that each is compared with: of a thousand copies of one template each has its
near neighbours, and their number does not grow with the square."""
SHINGLES_AT_A_TIME = 1_000_000
SEED = 0

# Odd, and without pattern: the increment and multipliers of splitmix64 (Steele et al. 2014).
MIXERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def shingles_of(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of three words of a normalised text; of a shorter one, all of it."""
    words = text.split()
    last = max(1, len(words) - WORDS_A_SHINGLE + 1)
    return frozenset(tuple(words[at : at + WORDS_A_SHINGLE]) for at in range(last))


def jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Share of the shingles of either that both have, 0 to 1."""
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def candidate_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places of normalised, distinct texts that may be nearly the same, each pair once."""
    import numpy as np

    if len(texts) < 2:
        return
    signatures = _signatures(texts)
    pairs = np.unique(np.concatenate([_of_band(signatures, band) for band in range(BANDS)]))
    for start in range(0, len(pairs), 10_000):
        one, other = np.divmod(pairs[start : start + 10_000], len(texts))
        likely = (signatures[one] == signatures[other]).mean(axis=1) >= FEWEST_EQUAL
        yield from zip(one[likely].tolist(), other[likely].tolist(), strict=True)


def _of_band(signatures: Signatures, band: int) -> npt.NDArray[np.int64]:
    """Pairs of texts with equal entries in one band, each pair as one number."""
    import numpy as np

    rows = signatures[:, band * ROWS_A_BAND : (band + 1) * ROWS_A_BAND]
    keys = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        keys = (keys ^ column) * np.uint64(MIXERS[1])
        keys ^= keys >> np.uint64(29)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    found = [np.zeros(0, np.int64)]
    for step in range(1, min(MOST_FOLLOWING, len(keys) - 1) + 1):
        (at,) = np.nonzero(keys[step:] == keys[:-step])
        found.append(order[at] * len(rows) + order[at + step])
    return np.concatenate(found)


class _WordHashes(dict[str, int]):
    """64 bits of each word, which are the same in every process."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self[word] = int.from_bytes(digest, "little")
        return self[word]


def _signatures(texts: Sequence[str]) -> Signatures:
    """The smallest of the hashes of a text's shingles, under each of many hash functions."""
    import numpy as np

    signatures = np.empty((len(texts), PERMUTATIONS), np.uint32)
    known = _WordHashes()
    start, block, size = 0, [], 0
    for index, text in enumerate(texts):
        block.append(_shingle_hashes(text, known))
        size += len(block[-1])
        if size >= SHINGLES_AT_A_TIME or index == len(texts) - 1:
            signatures[start : index + 1] = _smallest(block)
            start, block, size = index + 1, [], 0
    return signatures


def _shingle_hashes(text: str, known: _WordHashes) -> npt.NDArray[np.uint64]:
    import numpy as np

    words = [known[word] for word in text.split()]
    words += [0] * (WORDS_A_SHINGLE - len(words))
    hashes = np.array(words, np.uint64)
    last = len(words) - WORDS_A_SHINGLE + 1
    mixed = np.zeros(last, np.uint64)
    for place, mixer in enumerate(MIXERS):
        mixed = (mixed ^ hashes[place : place + last]) * np.uint64(mixer)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _smallest(block: Sequence[npt.NDArray[np.uint64]]) -> Signatures:
    import numpy as np

    hashes = np.concatenate(block)
    starts = np.cumsum([0] + [len(one) for one in block[:-1]])
    smallest = np.empty((len(block), PERMUTATIONS), np.uint32)
    rng = np.random.default_rng(SEED)
    # Multiply-shift hashing, Dietzfelbinger et al. 1997: odd factors, and the upper half.
    factors = rng.integers(0, 2**64, PERMUTATIONS, np.uint64) | np.uint64(1)
    terms = rng.integers(0, 2**64, PERMUTATIONS, np.uint64)
    for place, (factor, term) in enumerate(zip(factors, terms, strict=True)):
        permuted = ((hashes * factor + term) >> np.uint64(32)).astype(np.uint32)
        smallest[:, place] = np.minimum.reduceat(permuted, starts)
    return smallest
