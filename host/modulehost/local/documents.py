"""What the operator is given, as a ``Module``: either format, or a definition without one.

The types are those of the operator's CRD and of the definitions that were before it; a document
that the API server would not take is refused here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from modulehost.local.errors import RefusedError
from modulehost.local.items import Items, NewItem, OldItem

API_VERSION: Final = "batch.forkspacer.com/v1"

_Name = Annotated[str, Meta(min_length=1, max_length=253)]
_NAME = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 63  # the operator names a Service after the Module
_T = TypeVar("_T")


class Metadata(msgspec.Struct):
    """What a Module is called."""

    name: str
    namespace: str = "default"
    annotations: dict[str, str] | None = None


class Workspace(msgspec.Struct):
    """Where a Module belongs."""

    name: _Name
    namespace: Annotated[str, Meta(min_length=1, max_length=63)] = "default"


class Custom(msgspec.Struct):
    """What a Module is made of."""

    image: str
    permissions: list[Literal["workspace", "controller"]] | None = None


class Spec(msgspec.Struct):
    """What somebody wants of a Module."""

    workspace: Workspace
    custom: Custom | None = None
    source: dict[str, Any] | None = None
    helm: Any = None
    config: dict[str, Any] | None = None
    hibernated: bool = False


class Definition(msgspec.Struct):
    """A resource definition of the format before October 2025."""

    class About(msgspec.Struct):
        """Who made it."""

        name: str
        version: str | float
        supportedOperatorVersion: str  # noqa: N815 - as it is written

    kind: Literal["Custom"]
    metadata: About
    spec: Custom
    config: list[OldItem] | None = None


class Module(msgspec.Struct):
    """A Module as somebody has applied it."""

    name: str
    namespace: str
    workspace: Workspace
    image: str
    permissions: list[str]
    hibernated: bool
    items: Items
    values: dict[str, Any] | None
    """``spec.config`` as given, None without one."""

    document: dict[str, Any]
    """All of it."""

    @property
    def is_old(self) -> bool:
        """Whether its definition is of the format before October 2025."""
        return "source" in self.document["spec"]


def module_of(path: str, document: dict[str, Any]) -> Module:
    """The Module of a document. Raises RefusedError where the operator would not take it."""
    if (given := document.get("apiVersion")) != API_VERSION:
        raise RefusedError(f"{path}: apiVersion is {given or 'missing'}; write {API_VERSION}")
    metadata = _convert(path, document, "metadata", Metadata)
    if not _NAME.fullmatch(metadata.name) or len(metadata.name) > _LONGEST_NAME:
        raise RefusedError(
            f"{path}: metadata.name {metadata.name!r} cannot name a Service, as the operator has"
            " it do: it takes lower-case letters, digits and hyphens, a letter first, at most"
            f" {_LONGEST_NAME} of them"
        )
    spec = _convert(path, document, "spec", Spec)
    if spec.helm is not None:
        raise RefusedError(f"{path}: it is a Helm module, which has no plugin: nothing can be run")
    items: Items
    if spec.source is not None:
        definition = _definition(path, spec.source)
        custom, items = definition.spec, definition.config or []
    elif spec.custom is not None:
        custom = spec.custom
        items = _convert(path, {"config": document.get("config") or []}, "config", list[NewItem])
    else:
        raise RefusedError(f"{path}: spec.custom is missing: it names the image")
    return Module(
        name=metadata.name,
        namespace=metadata.namespace,
        workspace=spec.workspace,
        image=custom.image,
        permissions=list(custom.permissions or []),
        hibernated=spec.hibernated,
        items=items,
        values=spec.config,
        document=document,
    )


def wrap(path: str, definition: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A Module around a definition that stands alone, with values for its ``spec.config``."""
    about = _convert(path, {"definition": definition}, "definition", Definition).metadata
    name = re.sub(r"[^a-z0-9]+", "-", about.name.lower()).strip("-")
    return {
        "apiVersion": API_VERSION,
        "kind": "Module",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "source": {"raw": definition},
            "workspace": {"name": "dev-workspace", "namespace": "default"},
            **({"config": values} if values else {}),
        },
    }


def typed(path: str, definition: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The values that somebody has typed for a definition: JSON, but for what takes text."""
    items = _convert(path, {"definition": definition}, "definition", Definition).config or []
    types = {item.alias: item.type for item in items}
    return {alias: _typed(types.get(alias), text) for alias, text in given.items()}


def _typed(kind: str | None, text: str) -> Any:
    if kind in ("string", "option"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.split(",") if kind == "multiple-options" else text


def _definition(path: str, source: dict[str, Any]) -> Definition:
    if "raw" in source:
        return _convert(path, source, "raw", Definition, "spec.source.raw")
    if "httpURL" in source:
        raise RefusedError(
            f"{path}: spec.source.httpURL is not fetched here: download it and give it with -f, or"
            " put it under spec.source.raw"
        )
    there = ", ".join(source) or "empty"
    raise RefusedError(f"{path}: spec.source is {there}; put the definition under spec.source.raw")


def _convert(
    path: str, document: dict[str, Any], key: str, kind: type[_T], where: str | None = None
) -> _T:
    """The part of a document as a type."""
    where = key if where is None else where
    if document.get(key) is None:
        raise RefusedError(f"{path}: {where} is missing")
    try:
        return msgspec.convert(document[key], kind)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        place = re.sub(r"^definition\.?", "", f"{where}{place.rstrip('`')}")
        place = f"{place}: " if place else ""
        missing = re.fullmatch("Object missing required field `(.*)`", words)
        words = f"{missing[1]} is missing" if missing else words[0].lower() + words[1:]
        raise RefusedError(f"{path}: {place}{words}") from None
