"""``mien app``."""

from __future__ import annotations

import os
import sys

from mien.extras import extra
from mien.settings.computing import Promise
from mien.settings.predict import Answering
from mien.settings.serve import Serving
from mien.system.signals import signals_left_to_python

__all__ = ["serve_app"]


def serve_app(
    *, answering: Answering = Answering(), serving: Serving = Serving(), promise: Promise = Promise()
) -> None:
    """Serve until it is interrupted."""
    host, port, has_page = serving.host, serving.port, not serving.api_only
    token = serving.token or os.environ.get("MIEN_TOKEN") or None
    with extra("app", "the page"):
        from mien.app.serve import check_address, serve
        from mien.recognizer import Recognizer

        check_address(host, port, token)
        recognizer = Recognizer(answering.model, max_error=promise.max_error, classes=answering.among)

        def tell() -> None:
            name = f"[{host}]" if ":" in host else host
            print(f"mien: http://{name}:{port}/{'' if has_page else 'docs'} (Ctrl+C ends it)", file=sys.stderr)

        if has_page:
            print("mien: the page is being made, which takes some seconds", file=sys.stderr)
        with signals_left_to_python():  # the service answers what it has taken, and removes what was uploaded
            serve(recognizer, host=host, port=port, token=token, has_page=has_page, on_start=tell)
