"""The shape of a Module: what kubectl and the API server hold a document to.

``MODULE`` describes what the CRD of the operator v0.1.24 says of custom modules, in OpenAPI; the
CRD of one's own cluster can stand in for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

Schema = dict[str, Any]

_ANYTHING: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_VALUES: Final[Schema] = {**_TEXTS, "minItems": 1}


def _switch(*, default: bool) -> Schema:
    return {"type": "boolean", "default": default}


def _object(required: str, /, **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _rule(needed: str = "", /, **properties: Schema) -> Schema:
    both = {"required": _switch(default=False), "editable": _switch(default=True)}
    return _object(needed, **both, **properties)


_ITEM: Final = _object(
    "alias name",
    alias=_TEXT,
    name=_TEXT,
    integer=_rule(default={**_NUMBER, "default": 0}, min=_NUMBER, max=_NUMBER),
    boolean=_rule(default=_switch(default=False)),
    string=_rule(default={**_TEXT, "default": ""}, regex=_TEXT),
    option=_rule("values", default={**_TEXT, "default": ""}, values=_VALUES),
    multipleOptions=_rule("values", default=_TEXTS, values=_VALUES, min=_NUMBER, max=_NUMBER),
)
_CUSTOM: Final = _object(
    "image",
    image=_TEXT,
    imagePullSecrets=_TEXTS,
    permissions={"type": "array", "items": {**_TEXT, "enum": ["workspace", "controller"]}},
)
_WORKSPACE: Final = _object(
    "name namespace",
    name={**_TEXT, "minLength": 1, "maxLength": 253},
    namespace={**_TEXT, "minLength": 1, "maxLength": 63, "default": "default"},
)
MODULE: Final = _object(
    "spec",
    apiVersion=_TEXT,
    kind=_TEXT,
    metadata=_ANYTHING,
    config={"type": "array", "items": _ITEM},
    spec=_object(
        "hibernated workspace",
        config=_ANYTHING,
        custom=_CUSTOM,
        helm=_ANYTHING,
        hibernated=_switch(default=False),
        workspace=_WORKSPACE,
    ),
    status=_ANYTHING,
)


def fill_in(value: Any, schema: Schema) -> None:
    """Fill in the schema's defaults, as the API server does."""
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key not in value and "default" in part:
                value[key] = copy.deepcopy(part["default"])
            if key in value:
                fill_in(value[key], part)
    elif isinstance(value, list):
        for item in value:
            fill_in(item, schema.get("items", {}))


def drop_unknown(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Take away what the schema does not know: the place of each, and what may have been meant.

    kubectl refuses such fields; the API server, asked by somebody else, drops them.
    """
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from drop_unknown(item, schema.get("items", {}), f"{path}[{number}]")
    properties = schema.get("properties", {})
    if not isinstance(value, dict) or not properties:
        return
    for key in list(value):
        place = f"{path}.{key}".lstrip(".")
        if key in properties:
            yield from drop_unknown(value[key], properties[key], place)
        else:
            del value[key]
            close = get_close_matches(key, properties, 1)
            yield place, close[0] if close else ""


def problems(value: Any, schema: Schema) -> list[str]:
    """What is wrong with a document, each with its place."""
    from jsonschema import Draft7Validator

    errors = sorted(Draft7Validator(schema).iter_errors(value), key=lambda error: error.json_path)
    return [f"{error.json_path[2:] or 'it'}: {error.message}" for error in errors]
