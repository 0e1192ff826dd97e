"""Whether the cluster has swapped two modules, so that the Service of one reaches the other's pod.

The operator writes pod and Service of a Module into its annotation before it calls the pod. So the
Module whose annotation names the call's Service must name this pod, and the other way round.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from modulehost.front.cluster_api import ANNOTATION, Access, CannotAskError, Kept, find_access
from modulehost.shared.errors import NotCallableError, one_line
from modulehost.shared.logs import Log

PATIENCE: Final = 2.0
"""Seconds for all that is asked of the API."""


class Search(threading.Thread):
    """Looks for the Module of the call's Service, and for the one of this pod.

    A thread of its own, so that nothing that the API does takes longer than is waited for.
    """

    def __init__(self, access: Access, pod: str, service: str) -> None:
        super().__init__(name="search for a swap", daemon=True)
        self._access, self._pod, self._service = access, pod, service
        self.called: Kept | None = None
        self.owner: Kept | None = None
        self.problem = f"the Kubernetes API did not answer within {PATIENCE:g} s"

    def run(self) -> None:
        try:
            for kept in self._access.kept(PATIENCE):
                if kept.service == self._service:
                    self.called = kept
                if kept.pod == self._pod:
                    self.owner = kept
                if self.called is not None and self.owner is not None:
                    break
            self.problem = "no Module's annotation names both"
        except CannotAskError as error:
            self.problem = f"the Kubernetes API cannot be asked: {error}"
        except Exception as error:  # noqa: BLE001 - an API that cannot be asked is no failure
            words = one_line(f"{type(error).__name__}: {error}", 200)
            self.problem = f"the Kubernetes API cannot be asked: {words}"

    def look(self) -> None:
        """Search, for as long as there is patience."""
        try:
            self.start()
        except RuntimeError:
            self.problem = "there is no room for another thread"
        else:
            self.join(PATIENCE)

    def contradiction(self) -> str | None:
        """What shows that the two are swapped, as far as the search has come."""
        called, owner, pod = self.called, self.owner, self._pod
        if called is not None and called.pod:
            if called.pod == pod:
                return None
            whose = "" if owner is None else f" of the Module {owner.module}"
            return (
                f"the call is for the Service {self._service} of the Module {called.module}, whose"
                f" pod is {called.pod}, but came to the pod {pod}{whose}"
            )
        if owner is not None and owner.service not in ("", self._service):
            return (
                f"the call is for the Service {self._service}, but came to the pod {pod} of the"
                f" Module {owner.module}, whose Service is {owner.service}"
            )
        return None


def refuse_swap(service: str, config_dir: str, log: Log) -> None:
    """Raise NotCallableError for a call that is for another module's pod.

    ``service`` is NAME.NAMESPACE. Where the API does not say, the call passes, and the log has what
    would show a swap.
    """
    pod = os.environ.get("HOSTNAME") or os.uname().nodename
    problem = "this pod has no credentials that may read Modules"
    if (access := find_access(config_dir, os.environ)) is not None:
        search = Search(access, pod, service.partition(".")[0])
        search.look()
        if (contradiction := search.contradiction()) is not None:
            raise NotCallableError(
                f"the cluster has swapped two modules: {contradiction}; delete one of the two"
                " Modules and apply it again, more than a second later"
            )
        if (called := search.called) is not None and called.pod:
            log.event("info", "the call is for this pod", module=called.module, pod=pod)
            return
        problem = search.problem
    log.event(
        "info",
        "whether the call is for this pod is not known",
        pod=pod,
        service=service,
        reason=problem,
        hint=f"two modules are swapped where {ANNOTATION} of the Module has another runnerPodName"
        " or runnerServiceName",
    )
