"""The catalogue, and finding a device in it by the name that torch reports."""

from __future__ import annotations

import pytest

from zenml_ftvr.decide.accelerators import ACCELERATORS, REPORTED, accelerator_named
from zenml_ftvr.values import Accelerator


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100 SXM2 16 GB"),
        ("Tesla V100-SXM2-32GB", "V100 SXM2 32 GB"),
        ("Tesla V100-PCIE-16GB", "V100 PCIe 16 GB"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA A100-SXM4-40GB", "A100 SXM4 40 GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80 GB"),
        ("NVIDIA A100-PCIE-40GB", "A100 PCIe 40 GB"),
        ("NVIDIA A100 80GB PCIe", "A100 PCIe 80 GB"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM5"),
        ("NVIDIA H200", "H200 SXM"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("  nvidia geforce rtx 4090 ", "RTX 4090"),
    ],
)
def test_a_device_is_found_by_the_name_that_torch_reports(reported: str, name: str) -> None:
    found = accelerator_named(reported)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "reported",
    [
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA L40",
        "NVIDIA H100 NVL",
        "NVIDIA A100X",
        "Intel(R) Xeon(R)",
        "",
    ],
)
def test_a_device_that_is_only_like_one_of_the_list_is_not_taken_for_it(reported: str) -> None:
    assert accelerator_named(reported) is None


def test_every_device_can_be_found_and_says_where_its_numbers_are_from() -> None:
    names = [one.name for one in ACCELERATORS]
    assert sorted(names) == sorted(name for _, name in REPORTED)
    assert len(set(names)) == len(names)
    assert all("NVIDIA" in one.source and "(20" in one.source for one in ACCELERATORS)


@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=lambda one: one.name)
def test_peaks_are_dense_and_rise_as_precision_falls(accelerator: Accelerator) -> None:
    fp32, fp16 = accelerator.peak("fp32"), accelerator.peak("fp16")
    assert fp32 is not None
    assert fp16 is not None
    assert 1.9 * fp32 <= fp16 < 1e15
    if (tf32 := accelerator.peak("tf32")) is not None:
        # Data sheets have 16 bits at twice the rate of TF32, both dense or both sparse.
        assert fp16 == pytest.approx(2 * tf32, rel=0.02)
        assert accelerator.peak("bf16") == fp16
    else:
        assert accelerator.peak("bf16") is None  # Volta and Turing have neither
    assert 10 < accelerator.memory_gib < 200
    assert 200 < accelerator.bandwidth_gb_per_second < 6_000
