"""The contract's five calls with Flask alone: what somebody would write without a host."""

import time

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
STARTED = time.monotonic()
STATUS = {"install": 201, "uninstall": 204, "sleep": 200, "resume": 200}


@app.get("/health")
def health() -> Response:
    """Tell that it runs."""
    return jsonify(
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        uptime=time.monotonic() - STARTED,
        message="Service is running",
        healthy=True,
    )


@app.post("/<any(install, uninstall, sleep, resume):operation>")
def operate(operation: str) -> tuple[Response, int]:
    """Answer the metadata; when told so, burn a core first."""
    metadata = request.get_json()
    ends = time.monotonic() + metadata.get("burn", 0)
    while time.monotonic() < ends:
        pass
    return Response() if operation == "uninstall" else jsonify(metadata), STATUS[operation]
