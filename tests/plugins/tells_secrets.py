"""Tells its secret in the way that ``do`` in the metadata names, in the form that ``form`` does."""

import base64
import faulthandler
import json
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError, Secret, hookimpl

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "json": json.dumps,
    "json utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"password": text})),
    "url": urllib.parse.quote,
    "url plus": urllib.parse.quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a longer text": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64, shifted": lambda text: base64.urlsafe_b64encode(f"my-user:{text}!".encode()).decode(),
    "repr": lambda text: repr([text]),
}


class Config(msgspec.Struct):
    """Two that are secret, and a check of both."""

    password: Annotated[Secret[str], Meta(min_length=4)]
    token: Annotated[str, Meta(extra={"secret": True})] = ""
    refuses: bool = False

    def __post_init__(self) -> None:
        if self.refuses:
            print("checking", self.token)
            raise ValueError(f"{self.token} and {self.password.reveal()} do not fit")


class Manager:
    """Tells in each operation."""

    config = Config

    @hookimpl
    def install(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        told = FORMS[metadata.get("form", "plain")](ctx.config.password.reveal())
        self._tell(ctx, metadata, metadata["do"], told)
        metadata["done"] = True

    @hookimpl
    def uninstall(self, metadata: dict[str, Any]) -> None:
        metadata.clear()

    sleep = resume = install

    @hookimpl
    def health(self, ctx: Context[Config]) -> None:
        if ctx.config is not None:
            raise ModuleError(f"no answer for {ctx.config.token}")

    def _tell(self, ctx: Context[Config], metadata: dict[str, Any], how: str, told: str) -> None:
        match how:
            case "print":
                print("told", told)
            case "stderr":
                print("told", told, file=sys.stderr)
            case "write":
                os.write(1, f"told {told}\n".encode())
            case "write in pieces":
                for byte in f"told {told}\n".encode():
                    os.write(1, bytes((byte,)))
                    time.sleep(0.002)
            case "a long line":
                print("x" * 2990 + told + "x" * 5000)
            case "child":
                subprocess.run(["printf", "told %s\\n", told], check=True)
            case "run":
                ctx.run(["printf", "told %s\\n", told])
            case "run and fail":
                ctx.run(["sh", "-c", 'printf "%s" "$1" >&2; exit 1', "sh", told])
            case "log":
                ctx.log.info("told", value=told, below={told: [told]})
            case "config":
                ctx.log.info("told", config=ctx.config)
            case "logging":
                logging.getLogger("library").warning("told %s", told)
            case "thread":
                thread = threading.Thread(target=lambda: 1 / len(told[:0]), name=told)
                thread.start()
                thread.join()
            case "progress":
                ctx.progress(f"told {told}")
            case "raise":
                raise RuntimeError(f"told {told}")
            case "key":
                raise KeyError(told)
            case "metadata":
                metadata["password"] = ctx.config.password
            case "metadata key":
                metadata[told] = float("nan")
            case "crash":
                print("told", told, flush=True)
                faulthandler.enable()
                faulthandler._sigsegv()  # type: ignore[attr-defined]
            case "later":
                made = metadata.pop("made")
                ctx.redact(made)
                print("told", made)
                ctx.log.info("told", value=made)
                raise ModuleError(f"told {made}")
