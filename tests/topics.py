"""The words that small learnable data sets are made of, and how many a tokenizer makes of them."""

from __future__ import annotations

__all__ = ["NOISE", "TOPICS", "VOCABULARY"]

TOPICS = {
    "chess": "bishop pawn castle gambit rook checkmate endgame knight",
    "cooking": "flour butter oven onion recipe garlic simmer spoon",
    "sailing": "mast harbour rudder tide anchor keel breeze hull",
}
NOISE = (
    "the a of and to in that it was for on are with as they at be this from have or one had by "
    "word but not what all were we when your can said there use an each which she do how their"
)
VOCABULARY = 400  # every word of the rows is one piece
