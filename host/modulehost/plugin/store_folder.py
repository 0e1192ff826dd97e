"""A store in a folder, which should be a mounted volume."""

from __future__ import annotations

import os
from typing import IO, Final

from modulehost.shared.errors import ModuleError

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """Files of mode 0600; one that is not whole ends in ``.part``."""

    def __init__(self, folder: str) -> None:
        """Never makes the folder: where it is not mounted the pod's own disk would be there."""
        self._folder = folder
        if not os.path.isdir(folder):  # noqa: PTH112 - pathlib is dear
            raise ModuleError(
                f"the store {folder} is not there: mount a volume, or set MODULE_STORE"
            )

    def create(self, key: str) -> _File:
        path = f"{self._path(key)}.part"
        try:
            return _File(path)
        except OSError as error:
            raise _cannot("written", path, error) from None

    def keep(self, key: str, file: _File) -> None:
        path = self._path(key)
        try:
            os.fsync(file.fd)
            file.close()
            os.replace(f"{path}.part", path)  # noqa: PTH105
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _cannot("written", path, error) from None

    def open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        try:
            return open(path, "rb")  # noqa: PTH123 - the store closes it
        except OSError as error:
            raise _cannot("read", path, error) from None

    def delete(self, key: str) -> None:
        for path in (f"{self._path(key)}.part", self._path(key)):
            try:
                os.unlink(path)  # noqa: PTH108
            except FileNotFoundError:
                pass
            except OSError as error:
                raise _cannot("removed", path, error) from None

    def _path(self, key: str) -> str:
        if "/" in key:  # the metadata comes over the network
            raise ModuleError(f"{key} is no name in the store")
        return f"{self._folder}/{key}"


class _File:
    def __init__(self, path: str) -> None:
        self._path = path
        self.fd = os.open(path, _FLAGS, 0o600)

    def write(self, data: memoryview) -> None:
        try:
            while len(data):
                data = data[os.write(self.fd, data) :]
        except OSError as error:
            raise _cannot("written", self._path, error) from None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _cannot(what: str, path: str, error: OSError) -> ModuleError:
    return ModuleError(f"{path} cannot be {what}: {error.strerror}")
