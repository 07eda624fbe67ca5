"""Accelerators, and what a training takes of their memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.errors import ConfigurationError

__all__ = ["Accelerator", "MemorySettings", "NumberFormat", "TrainingMemory"]

NumberFormat: TypeAlias = Literal["fp32", "tf32", "fp16", "bf16"]
"""What matrix multiplications are done in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A device as its vendor's data sheet gives it."""

    name: str
    peak_flops: tuple[tuple[NumberFormat, float], ...]
    """Dense operations a second (no sparsity), accumulated in 32 bits, by precision; without those
    that the device has no fast path for."""
    memory_gib: float
    """As the data sheet says GB, which are GiB on the chip; the driver keeps some of it."""
    bandwidth_gb_per_second: float
    source: str

    def peak(self, precision: NumberFormat) -> float | None:
        """Dense operations a second; None where the device has no fast path for `precision`."""
        return dict(self.peak_flops).get(precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """How a training is done, as far as its memory depends on it."""

    batch_size: int
    """Texts in memory at once: of one micro-batch, on one device."""
    length: int
    """Tokens a text."""
    precision: Literal["fp32", "bf16_mixed"] = "fp32"
    """`bf16_mixed`: weights in 32 bits, computation in 16, as with torch's autocast."""
    optimiser: Literal["adamw", "adamw_8bit"] = "adamw"
    checkpointing: Literal["none", "full"] = "none"
    """`full`: of each layer only its input is kept, and the layer is computed again."""
    attention: Literal["auto", "eager", "fused"] = "auto"
    """`fused`: scaled-dot-product and flash kernels, which never hold all scores. `auto`: what
    torch does on the device."""
    device: Literal["cpu", "cuda", "mps"] = "cuda"
    frozen: Literal["fp32", "bf16", "nf4"] = "fp32"
    """What weights that are not trained are held in."""
    n_outputs: int = 2
    """Classes, or for a language model the size of its vocabulary."""
    outputs_per: Literal["text", "token"] = "text"

    def __post_init__(self) -> None:
        for name in ("batch_size", "length", "n_outputs"):
            if getattr(self, name) < 1:
                raise ConfigurationError(
                    f"MemorySettings.{name} is {getattr(self, name)}; it must be 1 at least."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMemory:
    """Bytes that a training holds, by what they hold; not all of them at once."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    outputs: int
    """Predictions and their gradients, 32-bit."""
    working: int = 0
    """Of the layer that is computed now."""
    copies: int = 0
    """Of the weights, while they are read or written; 0 where that is another memory."""
    heap_share: float = 0.0
    """Of what moves, how much more the process holds, because freed blocks of other sizes lie
    between; gradients then come on top, their blocks being kept too. 0 on accelerators."""

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimiser + self.activations + self.outputs

    @property
    def held(self) -> int:
        """What stays from step to step, and the gradients."""
        return self.weights + self.gradients + self.optimiser

    @property
    def moving(self) -> int:
        """What comes and goes with every step, and grows with its rows and their length."""
        return self.activations + self.outputs + self.working

    @property
    def peak(self) -> int:
        """The most at once: as the backward pass sets out, at the update, or while weights are
        written. Gradients come as activations go, so that they are never all there together; what
        the allocator holds beyond is `heap_share` of what moves."""
        kept = self.weights + self.optimiser
        backward = kept + round(self.moving * (1 + self.heap_share))
        if self.heap_share:
            backward += self.gradients
        return max(backward, self.held, kept + self.copies)
