"""Files of images to pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zenml_ftvr.errors import DataError
from zenml_ftvr.models.processors import image_processor, size_of_images
from zenml_ftvr.tasks.image_classification import pixels

SIDE = 6
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held
UPRIGHT, ON_ITS_SIDE = 1, 6


def processor_of(channels: int) -> Any:
    """Scales to values from -1 to 1, and to no other size."""
    from transformers import ViTImageProcessorPil

    middle = [0.5] * channels
    size = {"height": SIDE, "width": SIDE}
    return ViTImageProcessorPil(
        size=size, image_mean=middle, image_std=middle, do_convert_rgb=False
    )


def written(image: Image.Image, ending: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, ending, **options)
    return stream.getvalue()


def ramp() -> Any:
    """Grey levels that grow from the left to the right."""
    return np.tile(np.linspace(0, 255, SIDE).round().astype(np.uint8), (SIDE, 1))


def levels(content: bytes, channels: int) -> Any:
    """Pixels as the grey levels they were, [channels, height, width]."""
    return (pixels(processor_of(channels), content) + 1) * 127.5


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_gives_the_levels_it_shows(mode: str, channels: int) -> None:
    image = Image.fromarray(ramp()).convert("RGB").convert(mode)
    content = written(image, "TIFF" if mode == "CMYK" else "PNG")
    found = levels(content, channels)
    assert found.shape == (channels, SIDE, SIDE)
    assert found == pytest.approx(np.broadcast_to(ramp(), found.shape), abs=2.0)


def test_black_and_white_is_all_or_nothing() -> None:
    found = levels(written(Image.fromarray(ramp() > 127)), 1)
    assert found == pytest.approx((ramp() > 127)[None] * 255.0, abs=0.01)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = ramp().astype(np.uint16) * 257  # 255 becomes 65,535
    found = levels(written(Image.fromarray(deep)), 1)
    assert found == pytest.approx(ramp()[None], abs=1.0)


def test_an_image_that_was_turned_by_the_camera_is_turned_back() -> None:
    turned = Image.fromarray(ramp()).rotate(90, expand=True)
    exif = turned.getexif()
    exif[ORIENTATION] = ON_ITS_SIDE
    as_held = levels(written(turned, exif=exif), 1)
    assert as_held == pytest.approx(ramp()[None], abs=0.01)


@pytest.mark.parametrize("damage", [b"", b"no image", written(Image.fromarray(ramp()))[:40]])
def test_bytes_that_are_no_image_are_an_error_of_ours(damage: bytes) -> None:
    with pytest.raises(DataError, match=r"cannot be read.*Give the bytes of a PNG"):
        pixels(processor_of(3), damage)


def test_images_of_any_size_come_out_at_the_processors() -> None:
    wide = Image.fromarray(np.tile(ramp(), (3, 7)))
    assert pixels(processor_of(3), written(wide)).shape == (3, SIDE, SIDE)


def test_the_size_is_the_median_of_the_shorter_sides() -> None:
    images = [written(Image.new("RGB", size)) for size in [(8, 30), (10, 12), (64, 64)]]
    assert size_of_images(images, None) == (10, 3)
    assert size_of_images(images, 16) == (16, 3)


def test_no_size_is_above_what_encoders_are_trained_on() -> None:
    assert size_of_images([written(Image.new("L", (900, 700)))], None) == (224, 1)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("I;16", 1), ("RGB", 3)])
def test_grey_images_have_one_channel(mode: str, channels: int) -> None:
    assert size_of_images([written(Image.new(mode, (8, 8)))], None)[1] == channels


def test_one_image_in_colour_gives_all_three_channels() -> None:
    images = [written(Image.new(mode, (8, 8))) for mode in ("L", "RGB")]
    assert size_of_images(images, None)[1] == 3


def test_our_own_processor_brings_the_training_images_to_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(0)
    images = [
        written(Image.fromarray(rng.integers(0, 90, (8, 8, 3), dtype=np.uint8))) for _ in range(20)
    ]
    processor = image_processor(images, 8, 3)
    scaled = np.stack([pixels(processor, content) for content in images])
    assert scaled.mean((0, 2, 3)) == pytest.approx([0] * 3, abs=1e-3)
    assert scaled.std((0, 2, 3)) == pytest.approx([1] * 3, abs=1e-3)
