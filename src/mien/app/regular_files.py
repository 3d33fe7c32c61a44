"""Reading a file that must be one: no link, device, pipe or folder, and no larger than expected."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_regular"]

FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Links are not followed, and a pipe to which nobody writes is not waited for."""


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Args:
        most: bytes.

    Raises:
        OSError: if it is anything else, too large, or cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):  # opening some devices does something already
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with os.fdopen(os.open(path, FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # exchanged in between
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return content
