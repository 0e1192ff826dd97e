"""The Kubernetes API, where this pod may read the operator's own record of each Module in it.

That is so with the permission ``controller``, whose service account is the operator's, and with
``workspace`` for a workspace in the operator's cluster. Any other pod asks nobody.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

import msgspec

from modulehost.shared.kubeconfig import kubeconfig

if TYPE_CHECKING:
    from http.client import HTTPResponse

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
ANNOTATION: Final = "forkspacer.com/manager-data"

_MODULES: Final = "/apis/batch.forkspacer.com/v1/modules?limit=20"  # of up to 0.5 MiB each
_METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)
_LARGEST: Final = 16 << 20  # bytes of a page
_FILE: Final = 1 << 20  # bytes of a file of ours
_TOKEN: Final = re.compile(r"[\w.~+/=-]+", re.ASCII)


class CannotAskError(Exception):
    """The API does not say; the text is why."""


class Kept(NamedTuple):
    """What the operator keeps of a Module, NAMESPACE/NAME; "" where it has none yet."""

    module: str
    pod: str
    service: str


class _ManagerData(msgspec.Struct):
    pod: str = msgspec.field(default="", name="runnerPodName")
    service: str = msgspec.field(default="", name="runnerServiceName")


class _About(msgspec.Struct):
    name: str
    namespace: str
    annotations: dict[str, str] | None = None


class _Item(msgspec.Struct):
    metadata: _About


class _AboutPage(msgspec.Struct):
    further: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    items: list[_Item]
    metadata: _AboutPage


class Access(NamedTuple):
    """Where the API is, and what it is asked with; ``authority`` is a file."""

    host: str
    port: int
    token: str
    authority: str

    def kept(self, patience: float) -> Iterator[Kept]:
        """What the operator keeps of each Module. Each read may take so many seconds.

        Raises CannotAskError, OSError, http.client.HTTPException and msgspec.MsgspecError.
        """
        # dear, and used once in a module's life, if at all
        import ssl
        from http.client import HTTPSConnection

        tls = ssl.create_default_context(cafile=self.authority)
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # on since 3.13; clusters' CAs may fail it
        headers = {"Authorization": f"Bearer {self.token}", "Accept": _METADATA_ONLY}
        api = HTTPSConnection(self.host, self.port, timeout=patience, context=tls)
        with closing(api):
            path = _MODULES
            while path:
                api.request("GET", path, headers=headers)
                answer = api.getresponse()
                if answer.status != 200:
                    raise CannotAskError(f"it answers {answer.status} {answer.reason}")
                page = msgspec.json.decode(_read(answer), type=_Page)
                for item in page.items:
                    yield _kept(item.metadata)
                further = page.metadata.further
                path = f"{_MODULES}&continue={quote(further, safe='')}" if further else ""


def find_access(
    config_dir: str, environ: Mapping[str, str], account: str = ACCOUNT
) -> Access | None:
    """How this pod may read Modules; None where it may not. Asks nobody."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port.isdecimal():
        return None
    token = _text(f"{account}/token").strip()
    if _TOKEN.fullmatch(token) and _account_of(token) not in ("", "default"):
        return Access(host, int(port), token, f"{account}/ca.crt")
    text = _text(kubeconfig(config_dir))
    server, token, authority = (
        _value(text, key) for key in ("server", "token", "certificate-authority")
    )
    is_ours = server == f"https://{f'[{host}]' if ':' in host else host}:{port}"
    if is_ours and _TOKEN.fullmatch(token) and authority:
        return Access(host, int(port), token, authority)
    return None


def _read(answer: HTTPResponse) -> bytes:
    text = answer.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise CannotAskError(f"its answer is larger than {_LARGEST} bytes")
    return text


def _kept(about: _About) -> Kept:
    try:
        text = (about.annotations or {}).get(ANNOTATION, "{}")
        data = msgspec.json.decode(text, type=_ManagerData)
    except (msgspec.MsgspecError, UnicodeError):
        data = _ManagerData()  # somebody has edited it
    return Kept(f"{about.namespace}/{about.name}", data.pod, data.service)


def _account_of(token: str) -> str:
    """The name of the service account that a token is for; "" where it does not say."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    text = part.translate({ord("-"): "+", ord("_"): "/"}) + "=" * (-len(part) % 4)
    try:
        claims = msgspec.json.decode(binascii.a2b_base64(text), type=dict[str, object])
    except ValueError:  # of both
        return ""
    return str(claims.get("sub", "")).rpartition(":")[2]


def _value(kubeconfig: str, key: str) -> str:
    """The value of a key that is there once, in YAML or JSON; else ""."""
    found = re.findall(rf'(?<![\w-])"?{key}"?:\s+"?([^\s",}}]+)', kubeconfig)
    return str(found[0]) if len(found) == 1 else ""


def _text(path: str | None) -> str:
    """What a file holds; "" where it cannot be read."""
    try:
        with open(path or "", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is dear
            return file.read(_FILE)
    except (OSError, ValueError):
        return ""
