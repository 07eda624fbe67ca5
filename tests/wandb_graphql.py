"""GraphQL for the test server: a document is parsed, its root fields are resolved, and what it
selects is cut out of plain mappings. A field that is not there is an error, never a null."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphql import parse, value_from_ast_untyped
from graphql.language import ast

__all__ = ["Fields", "UnknownRequestError", "answer", "connection"]

Fields = dict[str, Any]
Resolvers = Mapping[str, Callable[[Fields], Any]]


class UnknownRequestError(Exception):
    """The client asked for something that the server does not know."""


def arguments_of(node: ast.FieldNode, variables: Fields) -> Fields:
    given = {
        one.name.value: value_from_ast_untyped(one.value, variables) for one in node.arguments or ()
    }
    wrapped = given.get("input")
    return dict(wrapped) if isinstance(wrapped, dict) and len(given) == 1 else given


def is_skipped(node: ast.FieldNode, variables: Fields) -> bool:
    for directive in node.directives or ():
        wanted = value_from_ast_untyped(directive.arguments[0].value, variables)
        if (directive.name.value == "include") != bool(wanted):
            return True
    return False


def connection(items: Iterable[Any], arguments: Fields) -> Fields:
    """A page of `items`, as GraphQL clients expect it."""
    held = list(items)
    start = int(arguments.get("after") or arguments.get("cursor") or 0)
    size = arguments.get("first") or arguments.get("perPage") or arguments.get("limit")
    page = held[start : start + int(size or len(held) or 1)]
    return {
        "totalCount": len(held),
        "edges": [
            {"node": node, "cursor": str(start + index + 1)} for index, node in enumerate(page)
        ],
        "pageInfo": {
            "__typename": "PageInfo",
            "hasNextPage": start + len(page) < len(held),
            "endCursor": str(start + len(page)),
        },
    }


def answer(body: Fields, queries: Resolvers, mutations: Resolvers) -> Fields:
    """Run one document; `UnknownRequestError` for what is not known."""
    document = parse(body["query"])
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, ast.FragmentDefinitionNode)
    }
    [operation] = [
        one for one in document.definitions if isinstance(one, ast.OperationDefinitionNode)
    ]
    variables = dict(body.get("variables") or {})
    for one in operation.variable_definitions or ():
        default = value_from_ast_untyped(one.default_value) if one.default_value else None
        variables.setdefault(one.variable.name.value, default)
    root = mutations if operation.operation.value == "mutation" else queries
    data: Fields = {}
    for node in fields_of(operation.selection_set, fragments, variables, None):
        name = node.name.value
        if name not in root:
            raise UnknownRequestError(f"{operation.operation.value} {name}")
        answer = root[name](arguments_of(node, variables))
        data[node.alias.value if node.alias else name] = cut(
            answer, node, fragments, variables, name
        )
    return data


def fields_of(
    selection: Any, fragments: Fields, variables: Fields, typename: str | None
) -> Iterable[ast.FieldNode]:
    for node in selection.selections:
        if isinstance(node, ast.FragmentSpreadNode):
            inner = fragments[node.name.value].selection_set
            yield from fields_of(inner, fragments, variables, typename)
        elif isinstance(node, ast.InlineFragmentNode):
            wanted = node.type_condition.name.value if node.type_condition else None
            if wanted in (None, typename):
                yield from fields_of(node.selection_set, fragments, variables, typename)
        elif not is_skipped(node, variables):
            yield node


def cut(value: Any, node: ast.FieldNode, fragments: Fields, variables: Fields, path: str) -> Any:
    if value is None or node.selection_set is None:
        return value
    if isinstance(value, list):
        return [cut(one, node, fragments, variables, path) for one in value]
    out: Fields = {}
    inner_nodes = fields_of(node.selection_set, fragments, variables, value.get("__typename"))
    for inner in inner_nodes:
        name = inner.name.value
        if name not in value:
            raise UnknownRequestError(f"{path}.{name}")
        got = value[name]
        if callable(got):
            got = got(arguments_of(inner, variables))
        key = inner.alias.value if inner.alias else name
        piece = cut(got, inner, fragments, variables, f"{path}.{name}")
        # A field that is selected twice is the union of both selections.
        out[key] = {**out[key], **piece} if isinstance(out.get(key), dict) else piece
    return out
