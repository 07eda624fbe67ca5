"""Data sets from the Hub: the real `datasets` client against a small Hub on this machine."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import TOKEN, Client, HubServer, Repository, running_client


def as_csv(n_rows: int, word: str = "text") -> bytes:
    lines = [
        f"{word} {row} {'good' if row % 2 else 'bad'},{'ab'[row % 2]}" for row in range(n_rows)
    ]
    return "\n".join(["text,label", *lines]).encode()


def as_parquet(n_rows: int) -> bytes:
    texts = [f"text {row}" for row in range(n_rows)]
    stream = io.BytesIO()
    table = pa.table({"text": texts, "label": ["ab"[row % 2] for row in range(n_rows)]})
    pq.write_table(table, stream)
    return stream.getvalue()


def publish(hub: HubServer, name: str, access: Any = "public") -> Repository:
    repository = hub.add(Repository(name=f"team/{name}", kind="datasets", access=access))
    repository.commit({"README.md": b"# rows", "data/train.csv": as_csv(120)}, "main")
    return repository


@pytest.mark.parametrize("by", ["tag", "branch", "commit"])
def test_a_revision_is_the_one_that_was_pinned(by: str, hub: HubServer, client: Client) -> None:
    repository = publish(hub, f"pinned-by-{by}")
    pinned = {"tag": "v1.0", "branch": "team/next", "commit": ""}[by]
    files = {"data/train-00000-of-00001.parquet": as_parquet(130)}
    commit = repository.commit(files, *([pinned] if pinned else []))
    newest = client.call("rows", {"name": repository.name})
    assert newest == {"n_rows": 120, "labels": ["a", "b"], "a_text": "text 0 bad"}
    older = client.call("rows", {"name": repository.name, "revision": pinned or commit})
    assert older == {"n_rows": 130, "labels": ["a", "b"], "a_text": "text 0"}
    assert client.call("rows", {"name": repository.name}) == newest


NOT_FOUND = "DataError: data 'team/{}' was not found: "


@pytest.mark.parametrize("revision", ["v9", "f" * 40])
def test_a_missing_revision_is_named(revision: str, hub: HubServer, client: Client) -> None:
    name = f"lacks-{revision[:2]}"
    publish(hub, name)
    answer = client.call("rows", {"name": f"team/{name}", "revision": revision})
    assert answer.startswith(NOT_FOUND.format(name))
    assert f"at revision '{revision}' it exists, but that revision does not. Look at" in answer


def test_a_missing_revision_is_refused_although_others_are_in_the_cache(
    hub: HubServer, client: Client
) -> None:
    publish(hub, "cached")
    assert client.call("rows", {"name": "team/cached"})["n_rows"] == 120
    answer = client.call("rows", {"name": "team/cached", "revision": "v9"})
    assert "it exists, but that revision does not" in answer


@pytest.mark.parametrize("revision", ["../../../etc", "-x", "a b", ""])
def test_what_can_be_no_revision_is_not_asked_for(
    revision: str, hub: HubServer, client: Client
) -> None:
    hub.asked.clear()
    answer = client.call("rows", {"name": "team/any", "revision": revision})
    assert f"revision {revision!r} is no name of a branch, tag or commit" in answer
    assert hub.asked == []


@pytest.mark.parametrize(("token", "status"), [(None, 401), (TOKEN, 403)])
def test_a_gated_data_set_is_refused_with_the_way_in(
    token: str | None, status: int, hub: HubServer, client: Client
) -> None:
    publish(hub, "gated", access="gated")
    answer = client.call("rows", {"name": "team/gated"}, token)
    assert answer.startswith(NOT_FOUND.format("gated"))
    assert f"it is gated, and access is refused (HTTP {status}). Accept its terms" in answer
    assert TOKEN not in answer


def test_a_private_data_set_needs_the_token(hub: HubServer, client: Client) -> None:
    publish(hub, "private", access="private")
    source = {"name": "team/private"}
    without = client.call("rows", source)
    assert "does not exist or is private, and no token is set (HTTP 401)" in without
    wrong = client.call("rows", source, "hf_canaryOfAnother")
    assert "the Hub does not know the token that is set (HTTP 401). Renew HF_TOKEN" in wrong
    assert "hf_canary" not in without + wrong
    assert client.call("rows", source, TOKEN)["n_rows"] == 120


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "no token is set (HTTP 401). Mind the spelling"),
        (TOKEN, "the token that is set gives no access (HTTP 404). Mind the spelling"),
    ],
)
def test_a_data_set_that_is_not_there_may_be_misspelt(
    token: str | None, said: str, client: Client
) -> None:
    answer = client.call("rows", {"name": "team/nonesuch"}, token)
    assert answer.startswith(NOT_FOUND.format("nonesuch"))
    assert f"does not exist or is private, and {said}" in answer
    assert TOKEN not in answer


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"hub_split": "dev"}, "Unknown split \"dev\". Should be one of ['train']"),
        ({"subset": "xx"}, "BuilderConfig 'xx' not found. Available: ['default']"),
        ({"text_column": "txt"}, "text column 'txt' is absent. Did you mean 'text'?"),
    ],
)
def test_what_the_data_set_has_not_is_named(
    setting: dict[str, str], said: str, hub: HubServer, client: Client
) -> None:
    publish(hub, "parts")
    answer = client.call("rows", {"name": "team/parts", **setting})
    assert answer.startswith("DataError: ")
    assert said in answer


def test_scripts_in_a_data_set_are_not_run(hub: HubServer, client: Client, tmp_path: Path) -> None:
    repository = hub.add(Repository(name="team/scripted", kind="datasets"))
    script = f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()"
    files = {"scripted.py": script.encode(), "train.csv": as_csv(120)}
    repository.commit({"README.md": b"# rows", **files}, "main")
    answer = client.call("rows", {"name": "team/scripted"})
    assert "Dataset scripts are no longer supported" in answer
    assert not (tmp_path / "ran").exists()


def test_a_download_that_breaks_off_leaves_nothing_that_counts_as_data(
    hub: HubServer, client: Client
) -> None:
    repository = hub.add(Repository(name="team/cut", kind="datasets"))
    rows = as_parquet(2_000)
    repository.commit({"README.md": b"# rows", "train.parquet": rows}, "main")
    hub.breaks_within = "train.parquet"
    broken = client.call("rows", {"name": "team/cut"})
    assert broken.startswith(NOT_FOUND.format("cut"))
    assert f"at {hub.endpoint}" in broken
    assert "Check the network" in broken
    hub.start()
    assert client.call("rows", {"name": "team/cut"})["n_rows"] == 2_000


def test_without_the_hub_the_cache_gives_what_was_asked_for_or_nothing(
    hub: HubServer, client: Client, tmp_path: Path
) -> None:
    repository = publish(hub, "twice")
    second = repository.commit({"README.md": b"# more", "data/train.csv": as_csv(150)}, "v2")
    first = {"name": "team/twice"}
    later = {"name": "team/twice", "revision": "v2"}
    assert client.call("rows", first)["n_rows"] == 120
    with running_client(hub.endpoint, client.home, tmp_path / "log", HF_HUB_OFFLINE="1") as offline:
        assert offline.call("rows", first)["n_rows"] == 120
        answer = offline.call("rows", later)
        assert "the local cache would give its commit" in answer
        assert "not revision 'v2'" in answer

        assert client.call("rows", later)["n_rows"] == 150
        assert offline.call("rows", later)["n_rows"] == 150
        assert offline.call("rows", {**later, "revision": second})["n_rows"] == 150
        # `datasets` would take the commit that was cached last, whatever is asked for.
        assert f"the local cache would give its commit {second}" in offline.call("rows", first)
        answer = offline.call("rows", {"name": "team/never-asked-for"})
        assert "HF_HUB_OFFLINE is set, and the local cache does not have all of it" in answer


def test_a_hub_at_fault_is_named_and_the_cache_serves(hub: HubServer, client: Client) -> None:
    publish(hub, "served")
    served = client.call("rows", {"name": "team/served"})
    hub.answers_only = 503
    try:
        answer = client.call("rows", {"name": "team/not-served"})
        again = client.call("rows", {"name": "team/served"})
    finally:
        hub.answers_only = None
    assert answer.startswith(NOT_FOUND.format("not-served"))
    assert "the Hub answered with HTTP 503. Try again later" in answer
    assert again == served


def test_a_hub_that_is_down_is_named_and_the_cache_serves(hub: HubServer, client: Client) -> None:
    publish(hub, "seen")
    assert client.call("rows", {"name": "team/seen"})["n_rows"] == 120
    hub.stop()
    try:
        answer = client.call("rows", {"name": "team/unseen"})
        seen = client.call("rows", {"name": "team/seen"})
    finally:
        hub.start()
    assert answer.startswith(NOT_FOUND.format("unseen"))
    assert f"cannot be reached (ConnectionError) at {hub.endpoint}" in answer
    assert seen["n_rows"] == 120
