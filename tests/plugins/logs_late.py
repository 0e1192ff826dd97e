"""Imports the standard library's logging in a hook only, and sets it up as ``do`` says."""

import importlib
import sys
import threading
from typing import Any

from modulehost import Context, hookimpl


class Manager:
    """Logs through libraries."""

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        metadata["imported"] = "logging" in sys.modules
        if metadata["do"] == "nothing":
            return
        logging = importlib.import_module("logging")
        match metadata["do"]:
            case "basicConfig":
                logging.basicConfig(level=logging.DEBUG)
            case "basicConfig with force":
                logging.basicConfig(level=logging.DEBUG, force=True, stream=sys.stdout)
            case "a handler of its own":
                logging.getLogger("library").addHandler(logging.StreamHandler())
            case "a handler for nothing":
                logging.getLogger("library").addHandler(logging.NullHandler())
            case "dictConfig":
                handlers = {"console": {"class": "logging.StreamHandler", "level": "DEBUG"}}
                root = {"handlers": ["console"], "level": "DEBUG"}
                config = importlib.import_module("logging.config")
                config.dictConfig({"version": 1, "handlers": handlers, "root": root})
        logger = logging.getLogger("library.part")
        logger.info("said %d", 1)
        getattr(logger, "log")(35, "between")  # noqa: B009 - see discovery.mentions
        try:
            raise ValueError("the cause")
        except ValueError:
            logger.exception("failed")
        thread = threading.Thread(target=logger.warning, args=("from a thread",))
        thread.start()
        thread.join()

    @hookimpl
    def uninstall(self, metadata: dict[str, Any]) -> None:
        metadata.clear()

    @hookimpl
    def health(self) -> None:
        if "logging" in sys.modules:
            sys.modules["logging"].getLogger("library").warning("looked")

    sleep = resume = install
