"""Late imports: others never notice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.interpreter import SOURCE, evaluate

SETUP = """
import json, sys
from modulehost.shared.late import import_with_late
"""


def test_what_is_late_is_imported_when_it_is_used() -> None:
    """A module that imports a late one works; the late one is loaded by its first use."""
    told = evaluate(
        SETUP
        + """
code = import_with_late("code", late=("traceback",))
before = "traceback" in sys.modules
name = code.traceback.TracebackException.__name__
print(json.dumps([before, name, "traceback" in sys.modules]))
""",
        "-S",
        PYTHONPATH=SOURCE,
    )
    assert told == [False, "TracebackException", True]


def test_a_late_module_can_be_used_at_once(tmp_path: Path) -> None:
    """Used while its importer is still being imported it is the real one, for all."""
    (tmp_path / "hasty.py").write_text("import traceback\nfound = traceback.format_exc\n")
    told = evaluate(
        SETUP
        + """
hasty = import_with_late("hasty", late=("traceback",))
import traceback
print(json.dumps([hasty.found is traceback.format_exc, type(traceback).__name__]))
""",
        "-S",
        PYTHONPATH=f"{SOURCE}:{tmp_path}",
    )
    assert told == [True, "module"]


def test_others_get_the_real_one() -> None:
    """Whoever imports a late module later gets it as ever, the same for all."""
    told = evaluate(
        SETUP
        + """
code = import_with_late("code", late=("traceback",))
import traceback
same = code.traceback.format_exc is traceback.format_exc
print(json.dumps([type(traceback).__name__, same, sys.modules["traceback"] is traceback]))
""",
        "-S",
        PYTHONPATH=SOURCE,
    )
    assert told == ["module", True, True]


def test_what_is_there_already_stays() -> None:
    """A module that was imported before is neither late nor absent."""
    told = evaluate(
        SETUP
        + """
import traceback, codeop
code = import_with_late("code", late=("traceback",), absent=("codeop",))
print(json.dumps([code.traceback is traceback, sys.modules["codeop"] is codeop]))
"""
    )
    assert told == [True, True]


def test_what_is_absent_is_missing_only_meanwhile() -> None:
    """To the module that is imported it is not installed; to all others it is."""
    told = evaluate(
        SETUP
        + """
try:
    import_with_late("code", absent=("codeop",))
    missing = False
except ModuleNotFoundError:
    missing = True
import codeop
print(json.dumps([missing, codeop.__name__, import_with_late("code").__name__]))
""",
        "-S",
        PYTHONPATH=SOURCE,
    )
    assert told == [True, "codeop", "code"]


PUT_OFF = """
import json, sys
from modulehost.shared.late import put_off_imports
put_off_imports(True)
import code
before = "codeop" in sys.modules
put_off_imports(False)
import codeop, colorsys
print(json.dumps([before, code.CommandCompiler.__name__, "colorsys" in sys.modules]))
"""


def test_python_puts_imports_off_where_it_can() -> None:
    """In 3.15 what a module imports waits for its use; before, and when it is off, nothing does."""
    waits = sys.version_info >= (3, 15)
    told = evaluate(PUT_OFF, "-S", PYTHONPATH=SOURCE)
    assert told == [not waits, "CommandCompiler", True]


@pytest.mark.skipif(sys.version_info < (3, 15), reason="Python has it from 3.15 on")
def test_what_python_puts_off_needs_no_stand_in() -> None:
    """Named or not, it waits, and it is Python's own."""
    told = evaluate(
        """
import json, sys
from modulehost.shared.late import import_with_late, put_off_imports
put_off_imports(True)
code = import_with_late("code", late=("traceback",))
before = "traceback" in sys.modules
print(json.dumps([before, type(code.traceback).__name__, "traceback" in sys.modules]))
""",
        "-S",
        PYTHONPATH=SOURCE,
    )
    assert told == [False, "module", True]


def test_a_name_that_is_used_at_once_need_not_bring_the_module(tmp_path: Path) -> None:
    """A stand-in may have some names itself; any other is the real module's."""
    (tmp_path / "hasty.py").write_text("import traceback\n\nclass Ours(traceback.Base): ...\n")
    told = evaluate(
        SETUP
        + """
hasty = import_with_late("hasty", {"traceback": {"Base": dict}})
before = "traceback" in sys.modules
print(json.dumps([before, hasty.Ours.__mro__[1].__name__, hasty.traceback.format_exc.__name__]))
""",
        "-S",
        PYTHONPATH=f"{SOURCE}:{tmp_path}",
    )
    assert told == [False, "dict", "format_exc"]
