"""A Module as the API server takes it of a document, and holds it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from modulehost.local import schema as shape
from modulehost.local.errors import RefusedError
from modulehost.shared.image import image_problem

API_VERSION: Final = "batch.forkspacer.com/v1"

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME: Final = 253


class Module:
    """A Module as the API server holds it: the document with the CRD's defaults filled in."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._spec: dict[str, Any] = document["spec"]
        self._custom: dict[str, Any] | None = self._spec.get("custom")

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Where the object is; its pod is elsewhere."""
        return str(self.document["metadata"]["namespace"])

    @property
    def workspace(self) -> str:
        """Where it belongs, as ``NAMESPACE/NAME``."""
        workspace = self._spec["workspace"]
        return f"{workspace['namespace']}/{workspace['name']}"

    @property
    def workspace_name(self) -> str:
        """The name alone."""
        return str(self._spec["workspace"]["name"])

    @property
    def is_custom(self) -> bool:
        """Whether it says what to run."""
        return self._custom is not None

    @property
    def image(self) -> str:
        """What to run."""
        return str((self._custom or {}).get("image", ""))

    @property
    def permissions(self) -> list[str]:
        """What its pod may have."""
        return list((self._custom or {}).get("permissions") or [])

    @property
    def is_hibernated(self) -> bool:
        """Whether somebody wants it to sleep."""
        return bool(self._spec["hibernated"])

    @property
    def items(self) -> list[dict[str, Any]]:
        """What its config may be: the definition."""
        return self.document.get("config") or []

    @property
    def values(self) -> dict[str, Any] | None:
        """Its config as given, None without one."""
        return self._spec.get("config")


class Taken(NamedTuple):
    """A document that kubectl and the API server take."""

    module: Module
    given: dict[str, Any]
    """What came through, without the defaults."""

    dropped: list[str]
    """What did not, in words."""

    schema: shape.Schema
    """The CRD's."""


def take(
    path: str,
    given: dict[str, Any],
    schema: shape.Schema = shape.MODULE,
    *,
    is_strict: bool = True,
) -> Taken:
    """The Module of a document, on its way from kubectl to the API server.

    ``is_strict``: as kubectl does by default, refuse what the CRD does not know. Raises
    RefusedError where kubectl or the API server would.
    """
    document = copy.deepcopy(given)
    if (version := document.get("apiVersion")) != API_VERSION:
        raise RefusedError(f"{path}: apiVersion is {version or 'missing'}; write {API_VERSION}")
    dropped = [f"{place} is null, which kubectl apply drops" for place in _drop_nulls(document)]
    _check_metadata(path, document)
    if "helm" in (document.get("spec") or {}):
        raise RefusedError(f"{path}: it is a Helm module, which has no plugin: nothing can be run")
    unknown = list(shape.drop_unknown(document, schema))
    if unknown and is_strict:
        words = ", ".join(_unknown(*one) for one in unknown)
        raise RefusedError(f"{path}: strict decoding error: {words}")
    dropped += [f"the API server drops the {_unknown(*one)}" for one in unknown]
    given = copy.deepcopy(document)
    shape.fill_in(document, schema)
    if find_spec("jsonschema") is None:
        raise RefusedError("Modules take a package more: pip install 'modulehost[cli]'")
    if found := shape.problems(document, schema):
        raise RefusedError(f"{path}: {'; '.join(found)}")
    if is_strict and "custom" not in document["spec"]:
        raise RefusedError(f"{path}: spec.custom is missing: it names the image")
    image = (document["spec"].get("custom") or {}).get("image", "")
    if is_strict and image and "{{" not in image and (problem := image_problem(image)):
        raise RefusedError(f"{path}: spec.custom.image: {problem}")
    return Taken(Module(document), given, dropped, schema)


def _check_metadata(path: str, document: dict[str, Any]) -> None:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(name := metadata.get("name"), str):
        raise RefusedError(f"{path}: metadata.name is missing")
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise RefusedError(
            f'{path}: metadata.name: Invalid value: "{name}": it takes lower-case letters, digits,'
            f" hyphens and dots, at most {_LONGEST_NAME}, a letter or digit at either end of each"
            " part"
        )
    annotations = metadata.get("annotations", {})
    if not isinstance(annotations, dict) or not all(
        isinstance(v, str) for v in annotations.values()
    ):
        raise RefusedError(
            f"{path}: metadata.annotations: all values are texts; put them into quotes"
        )
    metadata.setdefault("namespace", "default")


def _unknown(place: str, meant: str) -> str:
    if place == "spec.source":  # the format before October 2025
        return (
            f'unknown field "{place}"; did you mean custom? modulehost definition prints a Module'
        )
    return f'unknown field "{place}"' + (f"; did you mean {meant}?" if meant else "")


def _drop_nulls(value: Any, path: str = "") -> Iterator[str]:
    """Take away what is null; the places."""
    if isinstance(value, dict):
        for key in list(value):
            place = f"{path}.{key}".lstrip(".")
            if value[key] is None:
                del value[key]
                yield place
            else:
                yield from _drop_nulls(value[key], place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _drop_nulls(item, f"{path}[{number}]")
