"""What the test server holds, and its answer to every question that it knows."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wandb_graphql import Fields, UnknownRequestError, answer, connection

__all__ = ["ENTITY", "ORGANIZATION", "Answers", "Artifact", "Run"]

ENTITY = "team"
ORGANIZATION = "organization"
FIRST_DAY = "2026-01-01T00:00:00"


def id_of(kind: str, name: str) -> str:
    """As W&B's own: base64 of a kind and a name."""
    return base64.b64encode(f"{kind}:{name}".encode()).decode()


@dataclass
class Run:
    """A run as the server holds it."""

    entity: str
    project: str
    name: str
    fields: Fields = field(default_factory=dict)
    """What upsertBucket set: displayName, groupName, jobType, tags, config, ..."""
    summary: Fields = field(default_factory=dict)
    history: list[Fields] = field(default_factory=list)
    events: list[Fields] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    logged: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    state: str = "running"
    exit_code: int | None = None

    @property
    def id(self) -> str:
        return id_of("Run", f"{self.entity}/{self.project}/{self.name}")

    @property
    def config(self) -> Fields:
        held = json.loads(self.fields.get("config") or "{}")
        return {name: entry["value"] for name, entry in held.items()}


@dataclass
class Artifact:
    """A version of an artifact."""

    number: int
    entity: str
    project: str
    collection: str
    kind: str
    digest: str
    client_id: str
    metadata: str
    description: str | None
    version: int
    run: tuple[str, str, str]
    state: str = "PENDING"
    aliases: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""

    @property
    def id(self) -> str:
        return id_of("Artifact", str(self.number))


class Answers:
    """The state behind the server, and every question that it can answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.projects: dict[tuple[str, str], int] = {}
        self.runs: dict[tuple[str, str, str], Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.views: dict[str, Fields] = {}
        self.links: list[Fields] = []
        self.has_registry = True
        self._numbers = itertools.count(1)
        self._queries: Mapping[str, Callable[[Fields], Any]] = {
            "viewer": lambda _: self._viewer(),
            "serverInfo": lambda _: self._server(),
            "project": lambda one: self._project_of(one.get("entityName"), one["name"]),
            "model": lambda one: self._project_of(one.get("entityName"), one["name"]),
            "models": self._list_projects,
            "entity": lambda one: self._entity(one["name"]),
            "view": lambda one: self._view(self.views.get(one["id"])),
            "artifact": lambda one: self._artifact(self.artifacts.get(one["id"])),
            "clientIDMapping": self._by_client_id,
        }
        self._mutations: Mapping[str, Callable[[Fields], Any]] = {
            "upsertBucket": self._upsert_run,
            "createRunFiles": self._create_run_files,
            "upsertModel": self._upsert_project,
            "createArtifact": self._create_artifact,
            "createArtifactManifest": self._create_manifest,
            "updateArtifactManifest": self._update_manifest,
            "createArtifactFiles": self._create_artifact_files,
            "commitArtifact": self._commit,
            "useArtifact": self._use,
            "linkArtifact": self._link,
            "upsertView": self._upsert_view,
        }

    def answer(self, body: Fields) -> Fields:
        """What a document asks for."""
        return answer(body, self._queries, self._mutations)

    # -- people and projects ----------------------------------------------------------------------

    def _viewer(self) -> Fields:
        return {
            "__typename": "User",
            "id": id_of("User", "someone"),
            "entity": ENTITY,
            "username": "someone",
            "name": "Some One",
            "email": "someone@example.org",
            "admin": False,
            "flags": "{}",
            "deletedAt": None,
            "photoUrl": None,
            "apiKeys": lambda one: connection([], one),
            "teams": lambda one: connection([{"name": ENTITY}], one),
        }

    def _server(self) -> Fields:
        return {
            "features": [],
            "cliVersionInfo": {"max_cli_version": "0.31.0"},
            "latestLocalVersionInfo": None,
            "frontendHost": None,
        }

    def _entity(self, name: str) -> Fields:
        owner = {
            "name": ORGANIZATION,
            "orgEntity": {"name": ORGANIZATION},
            "coreWeaveOrganizationId": None,
        }
        return {
            "__typename": "Entity",
            "id": id_of("Entity", name),
            "name": name,
            "isTeam": True,
            "available": True,
            "organization": owner if self.has_registry else None,
            "user": None,
        }

    def _project_of(self, entity: str | None, name: str) -> Fields | None:
        key = (entity or ENTITY, name)
        if key not in self.projects:
            return None
        owner = key[0]
        held = [run for run in self.runs.values() if (run.entity, run.project) == key]
        return {
            "__typename": "Project",
            "id": id_of("Project", f"{owner}/{name}"),
            "internalId": id_of("ProjectInternalId", str(self.projects[key])),
            "name": name,
            "entityName": owner,
            "entity": self._entity(owner),
            "createdAt": FIRST_DAY,
            "description": None,
            "access": "PRIVATE",
            "views": None,
            "isBenchmark": False,
            "readOnly": False,
            "user": self._viewer(),
            "runCount": lambda _: len(held),
            "run": lambda one: self._run(self.runs.get((*key, one["name"]))),
            "bucket": lambda one: self._run(self.runs.get((*key, one["name"]))),
            "runs": lambda one: connection(
                [self._run(run) for run in held if fits(run, one.get("filters"))], one
            ),
            "artifactType": lambda one: self._type_of(key, one["name"]),
            "artifact": lambda one: self._artifact(self._find(key, one["name"])),
            "artifactCollection": lambda one: self._collection(key, one["name"]),
            "artifactCollectionMembership": lambda one: self._membership(
                self._find(key, ":".join(filter(None, (one["name"], one.get("aliasName")))))
            ),
            "allViews": lambda one: connection(
                [
                    self._view(view)
                    for view in self.views.values()
                    if (view["entityName"], view["projectName"]) == key
                    and one.get("viewName") in (None, view["name"])
                ],
                one,
            ),
        }

    def _list_projects(self, given: Fields) -> Fields:
        entity = given.get("entityName") or ENTITY
        return connection(
            [self._project_of(*key) for key in self.projects if key[0] == entity], given
        )

    def _upsert_project(self, given: Fields) -> Fields:
        self._make_project(given.get("entityName") or ENTITY, given["name"])
        made = self._project_of(given.get("entityName"), given["name"])
        return {"model": made, "project": made, "inserted": True}

    def _make_project(self, entity: str, name: str) -> None:
        self.projects.setdefault((entity, name), next(self._numbers))

    # -- runs -------------------------------------------------------------------------------------

    def _upsert_run(self, given: Fields) -> Fields:
        by_id = [run for run in self.runs.values() if run.id == given.get("id")]
        key = (
            given.get("entityName") or ENTITY,
            given.get("modelName") or "uncategorized",
            given.get("name") or "",
        )
        run = by_id[0] if by_id else self.runs.get(key)
        is_new = run is None
        if run is None:
            self._make_project(*key[:2])
            run = self.runs[key] = Run(*key)
        run.state = given.get("state") or "running"
        given_summary = given.get("summaryMetrics")
        if given_summary:
            run.summary = json.loads(given_summary)
        run.fields |= {name: value for name, value in given.items() if value is not None}
        return {"bucket": self._run(run), "inserted": is_new}

    def _run(self, run: Run | None) -> Fields | None:
        if run is None:
            return None
        fields = run.fields
        return {
            "__typename": "Run",
            "id": run.id,
            "name": run.name,
            "displayName": fields.get("displayName") or run.name,
            "config": fields.get("config") or "{}",
            "wandbConfig": lambda _: json.dumps({"t": run.config.get("_wandb", {}).get("t")}),
            "summaryMetrics": json.dumps(run.summary),
            "systemMetrics": "{}",
            "state": run.state,
            "group": fields.get("groupName"),
            "groupName": fields.get("groupName"),
            "jobType": fields.get("jobType"),
            "tags": fields.get("tags") or [],
            "notes": fields.get("notes"),
            "description": fields.get("notes"),
            "commit": None,
            "sweepName": None,
            "sweep": None,
            "stopped": False,
            "readOnly": False,
            "createdAt": FIRST_DAY,
            "heartbeatAt": FIRST_DAY,
            "projectId": str(self.projects[run.entity, run.project]),
            "user": self._viewer(),
            "project": lambda _: self._project_of(run.entity, run.project),
            "historyLineCount": len(run.history),
            "eventsLineCount": len(run.events),
            "logLineCount": len(run.console),
            "historyTail": tail_of(run.history),
            "eventsTail": tail_of(run.events),
            "historyKeys": history_keys(run),
            "files": lambda one: self._run_files(run, one),
            "fileCount": len(run.files),
            "outputArtifacts": lambda one: connection(
                [self._artifact(self.artifacts[id_]) for id_ in run.logged], one
            ),
            "inputArtifacts": lambda one: connection(
                [self._artifact(self.artifacts[id_]) for id_ in run.used], one
            ),
        }

    def _run_files(self, run: Run, given: Fields) -> Fields:
        names = given.get("names") or list(run.files)
        files = [
            {
                "__typename": "File",
                "id": id_of("File", f"{run.name}/{name}"),
                "name": name,
                "url": self._run_file_url(run, name),
                "directUrl": self._run_file_url(run, name),
                "sizeBytes": len(run.files[name]),
                "md5": "",
                "mimetype": "",
                "updatedAt": FIRST_DAY,
            }
            for name in names
            if name in run.files
        ]
        return connection(files, given)

    def _run_file_url(self, run: Run, name: str) -> str:
        return f"{self.url}/storage/runs/{run.entity}/{run.project}/{run.name}/{name}"

    def _create_run_files(self, given: Fields) -> Fields:
        run = self.runs[given.get("entityName") or ENTITY, given["projectName"], given["runName"]]
        return {
            "runID": run.id,
            "uploadHeaders": [],
            "files": [
                {"name": name, "uploadUrl": self._run_file_url(run, name)}
                for name in given["files"]
            ],
        }

    # -- artifacts --------------------------------------------------------------------------------

    def _of_project(self, key: tuple[str, str]) -> list[Artifact]:
        return [one for one in self.artifacts.values() if (one.entity, one.project) == key]

    def _find(self, key: tuple[str, str], reference: str) -> Artifact | None:
        collection, _, alias = reference.rpartition("/")[2].partition(":")
        found = [
            one
            for one in self._of_project(key)
            if one.collection == collection
            and ((alias or "latest") in one.aliases or alias == f"v{one.version}")
        ]
        return found[-1] if found else None

    def _type_of(self, key: tuple[str, str], name: str) -> Fields:
        return {
            "__typename": "ArtifactType",
            "id": id_of("ArtifactType", name),
            "name": name,
            "artifact": lambda one: self._artifact(self._find(key, one["name"])),
        }

    def _sequence(self, one: Artifact) -> Fields:
        versions = [
            other
            for other in self._of_project((one.entity, one.project))
            if other.collection == one.collection and other.state == "COMMITTED"
        ]
        latest = versions[-1] if versions else None
        return {
            "__typename": "ArtifactSequence",
            "id": id_of("ArtifactSequence", one.collection),
            "name": one.collection,
            "project": lambda _: self._project_of(one.entity, one.project),
            "latestArtifact": None
            if latest is None
            else {"id": latest.id, "versionIndex": latest.version},
        }

    def _collection(self, key: tuple[str, str], name: str) -> Fields | None:
        one = self._find(key, name)
        if one is None:
            return None
        return {
            **self._sequence(one),
            "artifactMembership": lambda given: self._membership(
                self._find(key, f"{name}:{given['aliasName']}")
            ),
        }

    def _artifact(self, one: Artifact | None) -> Fields | None:
        if one is None:
            return None
        location = f"{self.url}/storage/artifacts/{one.number}"
        manifest = {"id": id_of("File", "m"), "directUrl": f"{location}/manifest/m"}
        run = self.runs.get(one.run)
        return {
            "__typename": "Artifact",
            "id": one.id,
            "state": one.state,
            "digest": one.digest,
            "digestAlgorithm": "MANIFEST_MD5",
            "metadata": one.metadata,
            "description": one.description,
            "versionIndex": one.version,
            "size": sum(map(len, one.files.values())),
            "fileCount": len(one.files),
            "commitHash": str(one.number),
            "createdAt": FIRST_DAY,
            "updatedAt": FIRST_DAY,
            "ttlDurationSeconds": -2,
            "ttlIsInherited": True,
            "historyStep": None,
            "tags": [],
            "aliases": [
                {
                    "__typename": "ArtifactAlias",
                    "id": id_of("Alias", f"{one.number}/{alias}"),
                    "alias": alias,
                    "artifactCollection": self._sequence(one),
                }
                for alias in one.aliases
            ],
            "artifactType": self._type_of((one.entity, one.project), one.kind),
            "artifactSequence": self._sequence(one),
            "currentManifest": {"id": id_of("Manifest", str(one.number)), "file": manifest},
            "createdBy": lambda _: self._run(run),
            "filesByManifestEntries": lambda given: self._entries(one, given),
            "files": lambda given: self._artifact_files(one, given),
        }

    def _artifact_files(self, one: Artifact, given: Fields) -> Fields:
        names = given.get("names") or list(one.files)
        return self._entries(one, {**given, "entries": [{"name": name} for name in names]})

    def _entries(self, one: Artifact, given: Fields) -> Fields:
        files = [
            {
                "__typename": "File",
                "id": id_of("File", f"{one.number}/{entry['name']}"),
                "name": entry["name"],
                "directUrl": f"{self.url}/storage/artifacts/{one.number}/files/{entry['name']}",
                "url": f"{self.url}/storage/artifacts/{one.number}/files/{entry['name']}",
            }
            for entry in given["entries"]
        ]
        return connection(files, given)

    def _membership(self, one: Artifact | None) -> Fields | None:
        if one is None:
            return None
        held = self._artifact(one) or {}
        return {
            "__typename": "ArtifactCollectionMembership",
            "id": id_of("Membership", str(one.number)),
            "versionIndex": one.version,
            "createdAt": FIRST_DAY,
            "aliases": held["aliases"],
            "artifactCollection": held["artifactSequence"],
            "artifact": held,
            "files": held["files"],
            "filesByManifestEntries": held["filesByManifestEntries"],
        }

    def _create_artifact(self, given: Fields) -> Fields:
        key = (given["entityName"] or ENTITY, given["projectName"])  # a run kept offline has none
        [collection] = given.get("artifactCollectionNames") or [given["artifactCollectionName"]]
        others = [one for one in self._of_project(key) if one.collection == collection]
        same = [one for one in others if one.digest == given["digest"] and one.state == "COMMITTED"]
        if same:
            one = same[-1]
        else:
            one = Artifact(
                number=next(self._numbers),
                entity=key[0],
                project=key[1],
                collection=collection,
                kind=given["artifactTypeName"],
                digest=given["digest"],
                client_id=given["clientID"],
                metadata=given.get("metadata") or "{}",
                description=given.get("description"),
                version=len(others),
                run=(*key, given.get("runName") or ""),
            )
            self.artifacts[one.id] = one
        for alias in ["latest", *(named["alias"] for named in given.get("aliases") or ())]:
            for other in others:
                other.aliases = [held for held in other.aliases if held != alias]
            one.aliases = [*(held for held in one.aliases if held != alias), alias]
        run = self.runs.get((*key, given.get("runName") or ""))
        if run is not None and one.id not in run.logged:
            run.logged.append(one.id)
        return {"artifact": self._artifact(one)}

    def _manifest_of(self, number: str, name: str) -> Fields:
        url = f"{self.url}/storage/artifacts/{number}/manifest/{name}"
        file = {
            "id": id_of("File", name),
            "name": name,
            "displayName": name,
            "uploadUrl": url,
            "uploadHeaders": [],
        }
        return {"artifactManifest": {"id": id_of("Manifest", number), "file": file}}

    def _create_manifest(self, given: Fields) -> Fields:
        one = self.artifacts[given["artifactID"]]
        return self._manifest_of(str(one.number), given["name"])

    def _update_manifest(self, given: Fields) -> Fields:
        number = base64.b64decode(given["artifactManifestID"]).decode().partition(":")[2]
        return self._manifest_of(number, "m")

    def _create_artifact_files(self, given: Fields) -> Fields:
        files = []
        for wanted in given["artifactFiles"]:
            one, name = self.artifacts[wanted["artifactID"]], wanted["name"]
            files.append(
                {
                    "id": id_of("File", f"{one.number}/{name}"),
                    "name": name,
                    "displayName": name,
                    "storagePath": name,
                    "uploadUrl": f"{self.url}/storage/artifacts/{one.number}/files/{name}",
                    "uploadHeaders": [],
                    "uploadMultipartUrls": None,
                    "artifact": {"id": one.id},
                }
            )
        return {"files": connection(files, {})}

    def _commit(self, given: Fields) -> Fields:
        one = self.artifacts[given["artifactID"]]
        one.state = "COMMITTED"
        return {"artifact": self._artifact(one)}

    def _use(self, given: Fields) -> Fields:
        run = self.runs[given["entityName"], given["projectName"], given["runName"]]
        if given["artifactID"] not in run.used:
            run.used.append(given["artifactID"])
        return {"artifact": self._artifact(self.artifacts[given["artifactID"]])}

    def _link(self, given: Fields) -> Fields:
        one = self.artifacts[given["artifactID"]]
        key = (given["entityName"], given["projectName"])
        self._make_project(*key)
        linked = Artifact(
            **{
                **{name: getattr(one, name) for name in one.__dataclass_fields__},
                "number": next(self._numbers),
                "entity": key[0],
                "project": key[1],
                "collection": given["artifactPortfolioName"],
                "aliases": ["latest", *(named["alias"] for named in given["aliases"])],
            }
        )
        self.artifacts[linked.id] = linked
        self.links.append(given)
        return {"versionIndex": 0, "artifactMembership": self._membership(linked)}

    def _by_client_id(self, given: Fields) -> Fields | None:
        found = [one for one in self.artifacts.values() if one.client_id == given["clientID"]]
        return {"serverID": found[0].id} if found else None

    # -- reports ----------------------------------------------------------------------------------

    def _upsert_view(self, given: Fields) -> Fields:
        is_new = not given.get("id")
        if is_new:
            name = id_of("View", str(next(self._numbers)))
            self.views[name] = {"id": name}
        view = self.views[given.get("id") or name]
        view |= {
            field: value for field, value in given.items() if value is not None and field != "id"
        }
        json.loads(view["spec"])
        return {"view": self._view(view), "inserted": is_new}

    def _view(self, view: Fields | None) -> Fields | None:
        if view is None:
            return None
        return {
            "__typename": "View",
            **view,
            "project": self._project_of(view["entityName"], view["projectName"]),
            "user": self._viewer(),
            "createdAt": FIRST_DAY,
            "updatedAt": FIRST_DAY,
        }

    # -- lines of a run ---------------------------------------------------------------------------

    def take_lines(self, key: tuple[str, str, str], body: Fields) -> Fields:
        """A piece of a run's streams; lines must continue what is there, or repeat it."""
        run = self.runs[key]
        for name, piece in (body.get("files") or {}).items():
            lines, offset = piece["content"], piece.get("offset", 0)
            match name:
                case "wandb-history.jsonl":
                    put(run.history, offset, [json.loads(line) for line in lines])
                case "wandb-events.jsonl":
                    put(run.events, offset, [json.loads(line) for line in lines])
                case "output.log":
                    put(run.console, offset, lines)
                case "wandb-summary.json":
                    run.summary = json.loads(lines[-1])
                case _:
                    raise UnknownRequestError(f"stream {name}")
        if unknown := set(body) - STREAM_KEYS:
            raise UnknownRequestError(f"stream keys {sorted(unknown)}")
        if body.get("complete"):
            run.exit_code = body.get("exitcode")
            run.state = "failed" if run.exit_code else "finished"
        return {"limits": {}, "exitcode": None, "stopped": False}


STREAM_KEYS = {"files", "complete", "exitcode", "uploaded", "dropped", "preempting"}


def put(held: list[Any], offset: int, lines: list[Any]) -> None:
    """Lines at an offset; a gap before them means that some were lost."""
    if offset > len(held):
        raise UnknownRequestError(f"lines at {offset}, but only {len(held)} were sent before")
    held[offset : offset + len(lines)] = lines


def tail_of(lines: list[Fields]) -> str:
    return json.dumps([json.dumps(line) for line in lines[-1:]])


def history_keys(run: Run) -> Fields:
    names = sorted({name for row in run.history for name in row})
    last = run.history[-1].get("_step", 0) if run.history else 0
    return {
        "keys": {name: {"typeCounts": [{"type": "number", "count": 1}]} for name in names},
        "lastStep": last,
        "sets": [],
    }


def fits(run: Run, filters: str | None) -> bool:
    """Whether a run fits W&B's filters, as far as tests use them."""
    wanted = json.loads(filters) if filters else {}
    held = {"group": run.fields.get("groupName"), "jobType": run.fields.get("jobType")}
    for name, value in wanted.items():
        if name not in held:
            raise UnknownRequestError(f"filter {name}")
        if held[name] != value:
            return False
    return True
