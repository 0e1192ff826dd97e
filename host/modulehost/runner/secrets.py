"""The secrets that the runner knows: taken out of its own lines, and told to the front.

The front reads what the plugin prints. It is told on the channel, keeps them in memory alone, and
tells them to the next runner.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

from modulehost.shared.channel import Channel
from modulehost.shared.errors import ModuleError
from modulehost.shared.records import KnowSecrets, SecretsKnown
from modulehost.shared.redaction import Redactor


class Secrets:
    """Any thread may learn one; the second thread takes what the front says."""

    def __init__(self, channel: Channel | None) -> None:
        """Without a channel there is nobody who reads what is printed."""
        self.redactor = Redactor()
        self._channel = channel
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._number = 0
        self._known = 0

    def learn(self, secrets: Iterable[str]) -> None:
        """Returns when nothing that is printed from now on shows them."""
        new = self.redactor.add(secrets)
        if not new or self._channel is None:
            return
        if os.getpid() != self._pid:
            raise ModuleError("redact: this process was forked; call it in the one before")
        with self._changed:
            self._number += 1
            number = self._number
        self._channel.send(KnowSecrets(number, new))
        with self._changed:
            self._changed.wait_for(lambda: self._known >= number)

    def take(self, record: KnowSecrets | SecretsKnown) -> None:
        """What the front says: secrets of former runners, or that it knows ours."""
        match record:
            case KnowSecrets():
                self.redactor.add(record.secrets)
            case SecretsKnown():
                with self._changed:
                    self._known = max(self._known, record.number)
                    self._changed.notify_all()
