"""A 401 of Kubernetes is known in the words of whoever got it."""

from __future__ import annotations

import pytest

from modulehost.shared.unauthorized import is_unauthorized

SAID = {
    "kubernetes": "(401)\nReason: Unauthorized\nHTTP response headers: HTTPHeaderDict({'Audit-Id'",
    "kubernetes, body": '{"kind":"Status","status":"Failure","reason":"Unauthorized","code":401}',
    "openshift": "UnauthorizedError: 401",
    "lightkube": "ApiError: Unauthorized",
    "urllib": "HTTPError: HTTP Error 401: Unauthorized",
    "requests": "HTTPError: 401 Client Error: Unauthorized for url: https://10.96.0.1/api/v1",
    "httpx": "HTTPStatusError: Client error '401 Unauthorized' for url 'https://10.96.0.1/api'",
    "aiohttp": "ClientResponseError: 401, message='Unauthorized', url='https://10.96.0.1/api'",
    "kubectl": "error: You must be logged in to the server (Unauthorized)",
    "kubectl, discovery": "error: You must be logged in to the server (the server has asked for the"
    " client to provide credentials)",
    "helm": "Error: Kubernetes cluster unreachable: the server has asked for the client to provide"
    " credentials",
    "curl": "The requested URL returned error: 401",
    "a plugin": "RuntimeError: GET /api/v1/namespaces: status 401",
    "go": 'unexpected status code: 401, body: ""',
}
NOT_SAID = (
    "the database refuses us",
    "HTTPError: HTTP Error 403: Forbidden",
    "401 pods are running",
    "deployment web-401 is not ready",
    "unauthorized: authentication required",  # a registry of images
    "exit status 1401",
    "http://shop:4010/ does not answer",
    "",
)


@pytest.mark.parametrize("who", SAID)
def test_it_is_known(who: str) -> None:
    """Client libraries in several languages, and programs."""
    assert is_unauthorized(SAID[who])


@pytest.mark.parametrize("text", NOT_SAID)
def test_nothing_else_is(text: str) -> None:
    """Other refusals, and numbers that are no status."""
    assert not is_unauthorized(text)
