"""The contract's five calls as one function of functions-framework."""

import time

import functions_framework  # type: ignore[import-not-found] # it is in build/bench only
from flask import Request, Response, jsonify

STARTED = time.monotonic()
STATUS = {"/install": 201, "/uninstall": 204, "/sleep": 200, "/resume": 200}


@functions_framework.http  # type: ignore[untyped-decorator, unused-ignore]
def module(request: Request) -> tuple[Response, int]:
    """Answer the metadata; when told so, burn a core first."""
    if request.path == "/health":
        answer = jsonify(
            timestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            uptime=time.monotonic() - STARTED,
            message="Service is running",
            healthy=True,
        )
        return answer, 200
    metadata = request.get_json()
    ends = time.monotonic() + metadata.get("burn", 0)
    while time.monotonic() < ends:
        pass
    answer = Response() if request.path == "/uninstall" else jsonify(metadata)
    return answer, STATUS[request.path]
