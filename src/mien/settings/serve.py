"""Where the page and the service answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.settings.groups import SERVICE
from mien.settings.whole import WHOLE

__all__ = ["Serving"]


@Parameter(name="*", group=SERVICE)
@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where the page and the service answer, and whom.

    Attributes:
        host: Address to answer at; any but this machine's own needs a token.
        port: Port to answer at.
        token: What callers must show, at least 16 letters or digits. Default: the environment variable MIEN_TOKEN.
        api_only: Leave the page out, as on a server.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, WHOLE] = 7860
    token: str | None = None
    api_only: bool = False
