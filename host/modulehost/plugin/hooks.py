"""The five hooks that a plugin implements, as pluggy checks and calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from modulehost.plugin.context import Context

PROJECT: Final = "modulehost"
GROUP: Final = "modulehost.managers"
"""The entry point group in which plugins are found."""

KEY: Final = PROJECT
"""The one key of the metadata that is the host's: things that were made, version."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class ModuleSpec:
    """The hooks. A plugin implements the four operations; ``health`` is optional.

    ``metadata`` is the module's state: a dict of plain JSON values, changed in place. What is in
    it when the hook returns goes back to the operator and comes again in the next call. A hook
    returns None; it fails by raising: ``ModuleError`` for what can be expected, anything else for
    a bug. Either way the text of the exception is the reason that the user of the module reads.
    """

    @hookspec(firstresult=True)
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Create what the module stands for. Called with what an earlier try left behind, too.

        Fires once in the life of a module, with empty metadata; again when somebody repeats the
        call. May raise ``ModuleError``; the operator then never installs this module again, and
        calls ``uninstall`` when the module is deleted.
        """

    @hookspec(firstresult=True)
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Remove everything; content when nothing is there.

        Fires when the module is deleted, also after an install that failed half-way and on a
        fresh host with empty metadata. May raise ``ModuleError`` when something is left behind:
        the operator never repeats the call, and keeps the pod for a person to look after.
        """

    @hookspec(firstresult=True)
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Stop what costs while it runs, and remember in the metadata how to start it again.

        Fires when the module or its workspace hibernates. May raise ``ModuleError``; the module is
        marked as failed five minutes later.
        """

    @hookspec(firstresult=True)
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Undo ``sleep``.

        Fires when the module is woken up, which a workspace does not do. May raise
        ``ModuleError``; the module is marked as failed five minutes later.
        """

    @hookspec(firstresult=True)
    def health(self, ctx: Context[Any]) -> bool | None:
        """Say whether the module is well: None or True is healthy, False or an exception is not.

        Fires at each ``GET /health``, in a thread of its own, also while an operation runs. Has
        five seconds.
        """
