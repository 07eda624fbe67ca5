"""Base models from the Hub: the real client against a small Hub on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, Client, HubServer, Repository, files_in, running_client

NOT_THERE = "base model 'team/{}' (tried: the Hugging Face Hub): it "


@pytest.fixture(scope="module")
def files(bert_folder: Path) -> dict[str, bytes]:
    return files_in(bert_folder)


Publish = Callable[..., Repository]


@pytest.fixture(scope="module")
def publish(hub: HubServer, files: dict[str, bytes]) -> Publish:
    """A model on the Hub: the tiny one, with or without some of its files."""

    def make(name: str, access: Any = "public", **changed: bytes | None) -> Repository:
        repository = hub.add(Repository(name=f"team/{name}", access=access))
        content = {**files, **{path.replace("__", "."): data for path, data in changed.items()}}
        repository.commit(
            {path: data for path, data in content.items() if data is not None}, "main"
        )
        return repository

    return make


def other_weights(files: dict[str, bytes]) -> bytes:
    """The model's weights, all of them negated."""
    from safetensors.torch import load, save

    return save({name: -tensor for name, tensor in load(files["model.safetensors"]).items()})


@pytest.mark.parametrize("by", ["tag", "branch", "commit"])
def test_a_revision_is_the_one_that_was_pinned(
    by: str, publish: Publish, client: Client, files: dict[str, bytes]
) -> None:
    repository = publish(f"pinned-by-{by}")
    pinned = {"tag": "v1.0", "branch": "team/next", "commit": ""}[by]
    changed = {**files, "model.safetensors": other_weights(files)}
    commit = repository.commit(changed, *([pinned] if pinned else []))
    newest = client.call("resolved", {"name": repository.name})
    base = client.call("resolved", {"name": repository.name, "revision": pinned or commit})
    assert Path(base["folder"]).name == commit
    assert base["fingerprint"] != newest["fingerprint"]
    assert base["n_params"] == newest["n_params"] == 26_912


@pytest.mark.parametrize("revision", ["v9", "f" * 40])
def test_a_missing_revision_is_named(revision: str, publish: Publish, client: Client) -> None:
    publish(f"lacks-{revision[:2]}")
    answer = client.call("resolved", {"name": f"team/lacks-{revision[:2]}", "revision": revision})
    assert f"revision '{revision}'): it exists, but that revision does not. Look at " in answer


@pytest.mark.parametrize("revision", ["../../../etc", "-x", "a b", "a;b", "", "v1/../x", "/etc"])
def test_what_can_be_no_revision_is_not_asked_for(
    revision: str, publish: Publish, client: Client, hub: HubServer
) -> None:
    hub.asked.clear()
    answer = client.call("resolved", {"name": "team/any", "revision": revision})
    assert answer.startswith("ModelError: ")
    assert f"{revision!r} is no name of a branch, tag or commit" in answer
    assert hub.asked == []


@pytest.mark.parametrize(("token", "status"), [(None, 401), (TOKEN, 403)])
def test_a_gated_model_is_refused_with_the_way_in(
    token: str | None, status: int, publish: Publish, client: Client
) -> None:
    publish("gated", access="gated")
    answer = client.call("resolved", {"name": "team/gated"}, token)
    assert answer.startswith(
        f"ModelError: {NOT_THERE.format('gated')}is gated, and access is refused (HTTP {status}). "
        f"Accept its terms on its page and set HF_TOKEN"
    )
    assert TOKEN not in answer


def test_a_private_model_needs_the_token(publish: Publish, client: Client) -> None:
    publish("private", access="private")
    source = {"name": "team/private"}
    without = client.call("resolved", source)
    assert "does not exist or is private, and no token is set (HTTP 401)" in without
    wrong = client.call("resolved", source, "hf_canaryOfAnother")
    assert "the Hub does not know the token that is set (HTTP 401). Renew HF_TOKEN" in wrong
    assert "hf_canary" not in without + wrong
    assert client.call("resolved", source, TOKEN)["n_params"] == 26_912


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "no token is set (HTTP 401). Mind the spelling"),
        (TOKEN, "the token that is set gives no access (HTTP 404). Mind the spelling"),
    ],
)
def test_a_model_that_is_not_there_may_be_misspelt(
    token: str | None, said: str, client: Client
) -> None:
    answer = client.call("resolved", {"name": "team/nonesuch"}, token)
    assert f"{NOT_THERE.format('nonesuch')}does not exist or is private, and {said}" in answer
    assert TOKEN not in answer


def test_of_a_model_without_safetensors_no_pickle_is_downloaded(
    publish: Publish, client: Client, hub: HubServer
) -> None:
    publish(
        "pickled",
        model__safetensors=None,
        pytorch_model__bin=b"\x80\x04N.",
        training_args__bin=b"\x80\x04N.",
        extra__pkl=b"\x80\x04N.",
        code__py=b"1 / 0",
    )
    answer = client.call("resolved", {"name": "team/pickled"})
    assert "no *.safetensors file in" in answer
    assert "set base_model.allow to [pickled_weights]" in answer
    wanted = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(hub.downloaded("team/pickled")) == wanted


def test_allowed_pickled_weights_give_what_safetensors_give(
    publish: Publish, client: Client, files: dict[str, bytes], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load

    torch.save(load(files["model.safetensors"]), tmp_path / "weights")
    pickled = (tmp_path / "weights").read_bytes()
    publish("allowed-pickle", model__safetensors=None, pytorch_model__bin=pickled)
    publish("same-safely", pytorch_model__bin=pickled)
    source = {"name": "team/allowed-pickle", "allow": ["pickled_weights"]}
    safe = {"name": "team/same-safely", "allow": ["pickled_weights"]}
    assert client.call("resolved", source)["n_params"] == 26_912
    assert "pytorch_model.bin" not in client.call("resolved", safe)["files"]
    assert client.call("features", source) == client.call("features", safe)


def test_code_in_allowed_pickled_weights_is_not_run(
    publish: Publish, client: Client, tmp_path: Path
) -> None:
    import pickle

    class Payload:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    publish("payload", model__safetensors=None, pytorch_model__bin=pickle.dumps(Payload()))
    answer = client.call("resolved", {"name": "team/payload", "allow": ["pickled_weights"]})
    assert answer.startswith("ModelError: ")
    assert "holds more than tensors" in answer
    assert not (tmp_path / "ran").exists()


def own_code(files: dict[str, bytes], mark: Path, model_type: str) -> dict[str, bytes]:
    """The files of a model that brings Python files, which leave `mark` where they are run."""
    config = json.loads(files["config.json"])
    names = {"AutoConfig": "code.OwnConfig", "AutoModel": "code.OwnModel"}
    config |= {"model_type": model_type, "auto_map": names}
    code = (
        f"import pathlib\n"
        f"from transformers import BertConfig, BertModel\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        f"class OwnConfig(BertConfig):\n    model_type = {model_type!r}\n"
        f"class OwnModel(BertModel):\n    config_class = OwnConfig\n"
    )
    return {"config__json": json.dumps(config).encode(), "code__py": code.encode()}


def test_a_model_s_own_code_runs_only_where_it_is_allowed_by_name(
    publish: Publish, client: Client, hub: HubServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    publish("plain")
    publish("own-code", **own_code(files, tmp_path / "ran", "own_kind"))
    publish("other-code", **own_code(files, tmp_path / "ran-too", "other_kind"))
    source = {"name": "team/own-code"}
    answer = client.call("resolved", source)
    assert answer.startswith("ModelError: base model 'team/own-code' (tried: the Hugging Face Hub)")
    assert "no model of type 'own_kind'" in answer
    assert "(code.OwnConfig, code.OwnModel)" in answer
    assert "set base_model.allow to [remote_code]" in answer
    # Neither the code nor the weights that are of no use without it.
    assert not {"code.py", "model.safetensors"} & set(hub.downloaded("team/own-code"))
    assert not (tmp_path / "ran").exists()

    allowed = {**source, "allow": ["remote_code"]}
    assert client.call("features", allowed) == client.call("features", {"name": "team/plain"})
    assert (tmp_path / "ran").exists()

    # Allowed for the one, and for no other of the same process.
    assert "other_kind" in client.call("resolved", {"name": "team/other-code"})
    assert "own_kind" in client.call("resolved", source)
    assert not (tmp_path / "ran-too").exists()


def test_a_known_kind_that_brings_code_too_is_loaded_without_it(
    publish: Publish, client: Client, hub: HubServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    publish("plain")
    publish("both", **own_code(files, tmp_path / "ran", "bert"))
    assert client.call("features", {"name": "team/both"}) == client.call(
        "features", {"name": "team/plain"}
    )
    assert "code.py" not in hub.downloaded("team/both")
    assert not (tmp_path / "ran").exists()


def test_code_of_another_repository_is_refused_even_where_code_is_allowed(
    publish: Publish, client: Client, hub: HubServer, files: dict[str, bytes]
) -> None:
    config = json.loads(files["config.json"]) | {"auto_map": {"AutoModel": "evil/code--code.Own"}}
    publish("elsewhere", config__json=json.dumps(config).encode())
    answer = client.call("resolved", {"name": "team/elsewhere", "allow": ["remote_code"]})
    assert "would run evil/code--code.Own, code of another repository" in answer
    assert not any("evil" in line for line in hub.asked)


def test_allowed_code_is_part_of_the_fingerprint(
    publish: Publish, client: Client, files: dict[str, bytes], tmp_path: Path
) -> None:
    content = own_code(files, tmp_path / "ran", "kind_of_fingerprint")
    publish("code-1", **content)
    publish("code-2", **{**content, "code__py": content["code__py"] + b"\n# changed\n"})
    one, two = (
        client.call("resolved", {"name": f"team/code-{n}", "allow": ["remote_code"]})["fingerprint"]
        for n in (1, 2)
    )
    assert one != two


def test_a_download_that_breaks_off_leaves_nothing_that_counts_as_a_model(
    publish: Publish, client: Client, hub: HubServer, tmp_path: Path
) -> None:
    publish("cut")
    publish("whole")
    whole = client.call("resolved", {"name": "team/whole"})
    source = {"name": "team/cut"}
    hub.breaks_within = "model.safetensors"
    broken = client.call("resolved", source)
    assert f"cannot be reached (ConnectError) at {hub.endpoint}" in broken
    assert "try again (what has arrived is kept)" in broken
    cached = client.home / "hub" / "models--team--cut" / "snapshots"
    assert not list(cached.rglob("*.safetensors"))
    # What was there before still is, without the Hub.
    assert client.call("resolved", {"name": "team/whole"}) == whole
    with running_client(hub.endpoint, client.home, tmp_path / "log", HF_HUB_OFFLINE="1") as offline:
        half = offline.call("resolved", source)
        assert "HF_HUB_OFFLINE is set, and the local cache does not have all of it" in half
        assert offline.call("resolved", {"name": "team/whole"}) == whole
        never = offline.call("resolved", {"name": "team/never-asked-for"})
        assert "HF_HUB_OFFLINE is set" in never
    hub.start()
    again = client.call("resolved", source)
    assert again["fingerprint"] == whole["fingerprint"]
    assert list(cached.rglob("*.safetensors"))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_at_fault_is_named_and_the_cache_serves(
    status: int, publish: Publish, client: Client, hub: HubServer
) -> None:
    publish("served")
    served = client.call("resolved", {"name": "team/served"})
    hub.answers_only = status
    try:
        answer = client.call("resolved", {"name": "team/not-served"})
        again = client.call("resolved", {"name": "team/served"})
    finally:
        hub.answers_only = None
    refused = f"was refused: the Hub answered with HTTP {status}. Try again later"
    assert answer.startswith(f"ModelError: {NOT_THERE.format('not-served')}{refused}")
    assert again == served


def test_a_hub_that_is_down_is_named_and_the_cache_serves(
    publish: Publish, client: Client, hub: HubServer
) -> None:
    publish("seen")
    seen = client.call("resolved", {"name": "team/seen"})
    hub.stop()
    try:
        answer = client.call("resolved", {"name": "team/unseen"})
        again = client.call("resolved", {"name": "team/seen"})
    finally:
        hub.start()
    assert answer.startswith(f"ModelError: {NOT_THERE.format('unseen')}cannot be reached (")
    assert f" at {hub.endpoint}, and the local cache does not have all of it" in answer
    assert again == seen


def test_adapters_on_a_base_of_the_hub_load_again_with_it(
    publish: Publish, client: Client, files: dict[str, bytes], tmp_path: Path
) -> None:
    repository = publish("base")
    commit = repository.refs["main"]
    folder = str(tmp_path / "adapter")
    source = {"name": repository.name, "revision": commit}
    saved = client.call("saved_adapter", {**source, "folder": folder})
    about = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (about["base_model_name_or_path"], about["revision"]) == (repository.name, commit)
    assert not any(path.name == "model.safetensors" for path in (tmp_path / "adapter").iterdir())
    changed = {**files, "model.safetensors": other_weights(files)}
    repository.commit(changed, "main")
    assert client.call("loaded_logits", {"folder": folder}) == pytest.approx(saved, abs=1e-6)


def test_adapters_on_an_unpinned_base_that_has_changed_are_refused(
    publish: Publish, client: Client, files: dict[str, bytes], tmp_path: Path
) -> None:
    repository = publish("moving")
    folder = str(tmp_path / "adapter")
    client.call("saved_adapter", {"name": repository.name, "folder": folder})
    repository.commit({**files, "model.safetensors": other_weights(files)}, "main")
    answer = client.call("loaded_logits", {"folder": folder})
    assert "'team/moving' now has" in answer
    assert "Pin base_model.revision" in answer


def test_adapters_on_pickled_weights_need_them_allowed_where_they_are_loaded(
    publish: Publish, client: Client, files: dict[str, bytes], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load

    torch.save(load(files["model.safetensors"]), tmp_path / "weights")
    pickled = (tmp_path / "weights").read_bytes()
    publish("pickled-base", model__safetensors=None, pytorch_model__bin=pickled)
    folder = str(tmp_path / "adapter")
    allow = {"allow": ["pickled_weights"]}
    saved = client.call("saved_adapter", {"name": "team/pickled-base", "folder": folder, **allow})
    assert "no *.safetensors file" in client.call("loaded_logits", {"folder": folder})
    loaded = client.call("loaded_logits", {"folder": folder, **allow})
    assert loaded == pytest.approx(saved, abs=1e-6)
