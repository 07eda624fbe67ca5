"""Accelerators by the name that torch reports: peaks of their data sheets. No prices.

Peaks are dense: where a data sheet gives a number "with sparsity", half of it. Products accumulate
in 32 bits, as torch has them do, which on GeForce cards is half the rate that is advertised.
"""

from __future__ import annotations

import re

from zenml_ftvr.values.accelerator import Accelerator, NumberFormat

__all__ = ["ACCELERATORS", "accelerator_named"]

TERA = 1e12


def _listed(
    name: str,
    memory_gib: float,
    bandwidth: float,
    source: str,
    teraflops: dict[NumberFormat, float],
) -> Accelerator:
    return Accelerator(
        name=name,
        peak_flops=tuple((precision, peak * TERA) for precision, peak in teraflops.items()),
        memory_gib=memory_gib,
        bandwidth_gb_per_second=bandwidth,
        source=source,
    )


T4_SHEET = "NVIDIA T4 Tensor Core GPU data sheet (2019)"
V100_SHEET = "NVIDIA V100 Tensor Core GPU data sheet (2020)"
A100_SHEET = "NVIDIA A100 Tensor Core GPU data sheet (2022)"
H100_SHEET = "NVIDIA H100 Tensor Core GPU data sheet (2023)"
H100_PCIE_SHEET = "NVIDIA H100 PCIe GPU product brief (PB-11133) and H100 data sheet (2022)"

A100: dict[NumberFormat, float] = {"fp32": 19.5, "tf32": 156, "fp16": 312, "bf16": 312}
H100_SXM: dict[NumberFormat, float] = {"fp32": 67, "tf32": 494.5, "fp16": 989.5, "bf16": 989.5}

ACCELERATORS: tuple[Accelerator, ...] = (
    _listed("T4", 16, 300, T4_SHEET, {"fp32": 8.1, "fp16": 65}),
    _listed("V100 PCIe 16 GB", 16, 900, V100_SHEET, {"fp32": 14, "fp16": 112}),
    _listed("V100 PCIe 32 GB", 32, 900, V100_SHEET, {"fp32": 14, "fp16": 112}),
    _listed("V100 SXM2 16 GB", 16, 900, V100_SHEET, {"fp32": 15.7, "fp16": 125}),
    _listed("V100 SXM2 32 GB", 32, 900, V100_SHEET, {"fp32": 15.7, "fp16": 125}),
    _listed(
        "A10",
        24,
        600,
        "NVIDIA A10 Tensor Core GPU data sheet (2021)",
        {"fp32": 31.2, "tf32": 62.5, "fp16": 125, "bf16": 125},
    ),
    _listed(
        "A10G",
        24,
        600,
        "NVIDIA A10G data sheet, as Amazon Web Services publishes it for G5 instances (2021)",
        {"fp32": 35, "tf32": 35, "fp16": 70, "bf16": 70},
    ),
    _listed("A100 PCIe 40 GB", 40, 1555, A100_SHEET, A100),
    _listed("A100 PCIe 80 GB", 80, 1935, A100_SHEET, A100),
    _listed("A100 SXM4 40 GB", 40, 1555, A100_SHEET, A100),
    _listed("A100 SXM4 80 GB", 80, 2039, A100_SHEET, A100),
    _listed(
        "L4",
        24,
        300,
        "NVIDIA L4 Tensor Core GPU data sheet (2023)",
        {"fp32": 30.3, "tf32": 60, "fp16": 121, "bf16": 121},
    ),
    _listed(
        "L40S",
        48,
        864,
        "NVIDIA L40S GPU data sheet (2023)",
        {"fp32": 91.6, "tf32": 183, "fp16": 362, "bf16": 362},
    ),
    _listed(
        "H100 PCIe",
        80,
        2000,
        H100_PCIE_SHEET,
        {"fp32": 51, "tf32": 378, "fp16": 756, "bf16": 756},
    ),
    _listed("H100 SXM5", 80, 3350, H100_SHEET, H100_SXM),
    _listed("H200 SXM", 141, 4800, "NVIDIA H200 Tensor Core GPU data sheet (2024)", H100_SXM),
    _listed(
        "RTX 3090",
        24,
        936,
        "NVIDIA Ampere GA102 GPU architecture whitepaper, table of GeForce RTX 3090 (2021)",
        {"fp32": 35.6, "tf32": 35.6, "fp16": 71, "bf16": 71},
    ),
    _listed(
        "RTX 4090",
        24,
        1008,
        "NVIDIA Ada GPU architecture whitepaper, table of GeForce RTX 4090 (2022)",
        {"fp32": 82.6, "tf32": 82.6, "fp16": 165.2, "bf16": 165.2},
    ),
)

REPORTED: tuple[tuple[str, str], ...] = (
    (r"T4", "T4"),
    (r"V100-PCIE-16GB", "V100 PCIe 16 GB"),
    (r"V100-PCIE-32GB", "V100 PCIe 32 GB"),
    (r"V100-SXM2-16GB", "V100 SXM2 16 GB"),
    (r"V100-SXM2-32GB", "V100 SXM2 32 GB"),
    (r"A10", "A10"),
    (r"A10G", "A10G"),
    (r"A100-PCIE-40GB", "A100 PCIe 40 GB"),
    (r"A100 80GB PCIe|A100-PCIE-80GB", "A100 PCIe 80 GB"),
    (r"A100-SXM4-40GB", "A100 SXM4 40 GB"),
    (r"A100-SXM4-80GB|A100-SXM-80GB", "A100 SXM4 80 GB"),
    (r"L4", "L4"),
    (r"L40S", "L40S"),
    (r"H100 PCIe", "H100 PCIe"),
    (r"H100 80GB HBM3|H100 SXM5", "H100 SXM5"),
    (r"H200", "H200 SXM"),
    (r"RTX 3090", "RTX 3090"),
    (r"RTX 4090", "RTX 4090"),
)
"""What follows the maker in torch.cuda.get_device_name(), whole: an A100 is no A10, an RTX 3090 Ti
no RTX 3090, and a slice of a card (MIG) is not the card."""

MAKER = r"(NVIDIA |Tesla |GeForce )*"


def accelerator_named(device_name: str) -> Accelerator | None:
    """The accelerator that torch reports as `device_name`; None for one that is not listed."""
    for pattern, name in REPORTED:
        if re.fullmatch(f"{MAKER}(?:{pattern})", device_name.strip(), re.IGNORECASE):
            return next(one for one in ACCELERATORS if one.name == name)
    return None
