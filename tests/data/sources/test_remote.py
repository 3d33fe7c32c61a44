"""Sets on Kaggle and Hugging Face are had through the real clients, here from a server on this machine.

Each visit is a process of its own, for the clients read their settings when they are imported. A visit that tries
to leave the machine fails.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mien.data.sources import open_source
from mien.errors import MissingExtraError, SourceError
from support.pictures import class_files, png

pytest.importorskip("kagglehub")
pytest.importorskip("huggingface_hub")

TWO = class_files("happy", "sad")
COMMITS = {"main": "a" * 40, "v2": "b" * 40}
VISIT = """
import json, os, sys

def only_here(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
        os.write(2, f"tried to reach {args[1]}".encode())
        os._exit(99)  # an exception would be taken for one of the client's

sys.addaudithook(only_here)
import kagglesdk.kaggle_env as kaggle
kaggle._env_to_endpoint[kaggle.KaggleEnv.TEST] = os.environ["STAND_IN"]  # the client knows fixed places only
from mien.data.sources import open_source
from mien.errors import MienError
answers = {}
for spec in sys.argv[1:]:
    try:
        source = open_source(spec)
        sizes = [0 if f.ignored else len(source.read(f)) for f in source.files]
        files = {f.path: [f.label, f.split, f.ignored, size] for f, size in zip(source.files, sizes, strict=True)}
        answers[spec] = {"name": source.name, "files": files}
    except MienError as error:
        answers[spec] = {"error": str(error)}
print(json.dumps(answers))
"""


def packed_zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def packed_tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def parquet(*seeds: int) -> bytes:
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["happy", "sad"]}}
    frame = pl.DataFrame(
        {"image": [{"bytes": png(s), "path": None} for s in seeds], "label": [s % 2 for s in seeds]},
        schema_overrides={"image": pl.Struct({"bytes": pl.Binary, "path": pl.String})},
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    return buffer.getvalue()


ABOUT = {"README.md": b"about", ".gitattributes": b"*"}
KAGGLE = {
    ("someone", "faces"): TWO,
    ("someone", "divided"): class_files("set/train/happy", "set/train/sad", "set/test/happy", "set/test/sad"),
}
HUGGING_FACE: dict[tuple[str, str], dict[str, bytes]] = {
    ("someone/folders", "main"): ABOUT | TWO,
    ("someone/folders", "v2"): ABOUT | class_files("pain", "fear"),
    ("someone/rows", "main"): ABOUT
    | {"data/train-00000-of-00001.parquet": parquet(0, 1, 2, 3), "data/test-00000-of-00001.parquet": parquet(4, 5)},
    ("someone/packed", "main"): ABOUT | {"photos.tar.gz": packed_tar(TWO)},
    ("someone/listed", "main"): ABOUT
    | {
        "images/a.png": png(1),
        "b.png": png(2),
        "metadata.csv": b"file_name,label\nimages/a.png,happy\n../../x.png,sad\n/etc/passwd,sad\nb.png,sad\n",
    },
}
ERRORS = {"missing": (404, "RepoNotFound"), "gated": (403, "GatedRepo"), "refused": (403, ""), "broken": (500, "")}


class StandIn(BaseHTTPRequestHandler):
    """What the two sites answer, as far as their clients ask."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def answer(self, content: bytes | Mapping[str, Any] | list[Any], status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        self.send_response(status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, name: str) -> None:
        status, code = ERRORS.get(name, ERRORS["missing"])
        self.answer(
            {"error": "no", "code": status, "message": "no"}, status, **({"X_Error_Code": code} if code else {})
        )

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = (asked["ownerSlug"], asked["datasetSlug"])
        if key not in KAGGLE:
            self.refuse(key[1])
        elif self.path.endswith("/GetDataset"):
            self.answer({"currentVersionNumber": 3})
        else:
            self.answer(packed_zip(KAGGLE[key]))

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/api/datasets/(\w+/(\w+))(?:/revision/(\w+))?", path):
            revision = match[3] or "main"
            if (match[1], "main") not in HUGGING_FACE:
                self.refuse(match[2])
            elif (match[1], revision) not in HUGGING_FACE:
                self.answer({"error": "no"}, 404, X_Error_Code="RevisionNotFound")
            else:
                self.answer({"id": match[1], "sha": COMMITS[revision], "siblings": []})
        elif match := re.fullmatch(r"/api/datasets/(\w+/\w+)/tree/(\w+)", path):
            files = self.files(match[1], match[2])
            self.answer(
                [
                    {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                    for n, c in files.items()
                ]
            )
        elif match := re.fullmatch(r"/datasets/(\w+/\w+)/resolve/(\w+)/(.+)", path):
            content = self.files(match[1], match[2])[match[3]]
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            self.answer(content, ETag=etag, X_Repo_Commit=match[2])
        else:
            self.answer({"error": "no such place"}, 404)

    do_HEAD = do_GET

    @staticmethod
    def files(name: str, commit: str) -> dict[str, bytes]:
        return HUGGING_FACE[name, next(r for r, c in COMMITS.items() if c == commit)]


@dataclass(frozen=True)
class Visits:
    """What came of opening some sets, and what was said meanwhile."""

    answers: dict[str, dict[str, Any]]
    stdout: str
    stderr: str = field(repr=False)

    def error(self, spec: str) -> str:
        """The one line with which a set was refused."""
        assert set(self.answers[spec]) == {"error"}
        line = str(self.answers[spec]["error"])
        assert "\n" not in line
        assert line.startswith(f"{spec}: ")
        return line

    def labels(self, spec: str) -> dict[str, str]:
        """Path → label of the files that take part."""
        assert "error" not in self.answers[spec], self.answers[spec]
        return {path: found[0] for path, found in self.answers[spec]["files"].items() if not found[2]}


def visit(endpoint: str, home: Path, *specs: str) -> Visits:
    """Open sets in a process of its own, with all caches and settings below ``home``."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("HF_", "KAGGLE", "HUGGING")) and "proxy" not in k.lower()
    }
    places = {"HOME": home, "HF_HOME": home / "hf", "KAGGLEHUB_CACHE": home / "kagglehub", "KAGGLE_CONFIG_DIR": home}
    settings = {
        "HF_ENDPOINT": endpoint,
        "STAND_IN": endpoint,
        "KAGGLE_API_ENVIRONMENT": "TEST",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    env = kept | settings | {name: str(place) for name, place in places.items()}
    command = [sys.executable, "-c", VISIT, *specs]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return Visits(json.loads(done.stdout), done.stdout, done.stderr)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clients keep what was downloaded."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def nowhere() -> Iterator[str]:
    """An address at which nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture(scope="module")
def visits(endpoint: str, home: Path) -> Visits:
    """Every set the server knows or refuses, opened once."""
    theirs = ("faces", "faces/versions/2", "divided", "divided::test", "missing", "refused", "broken")
    kaggle = [f"kaggle:someone/{name}" for name in theirs]
    names = (
        "folders",
        "folders@v2",
        "folders@v9",
        "rows",
        "rows::test",
        "packed",
        "listed::metadata.csv",
        "listed",
        *ERRORS,
    )
    return visit(endpoint, home, *kaggle, *(f"hf:someone/{name}" for name in names))


def test_set_on_kaggle(visits: Visits) -> None:
    assert visits.labels("kaggle:someone/faces") == {name: name.split("/")[0] for name in TWO}
    assert {n: f[3] for n, f in visits.answers["kaggle:someone/faces"]["files"].items()} == {
        n: len(c) for n, c in TWO.items()
    }
    assert visits.answers["kaggle:someone/faces"]["name"] == "faces"


def test_version_of_a_set_on_kaggle(visits: Visits) -> None:
    assert len(visits.labels("kaggle:someone/faces/versions/2")) == 4
    assert visits.answers["kaggle:someone/faces/versions/2"]["name"] == "faces"


def test_part_of_a_set_on_kaggle(visits: Visits) -> None:
    assert {f[1] for f in visits.answers["kaggle:someone/divided"]["files"].values()} == {"train", "test"}
    assert set(visits.labels("kaggle:someone/divided::test")) == set(TWO)
    assert visits.answers["kaggle:someone/divided::test"]["name"] == "divided-test"


def test_class_folders_on_hugging_face(visits: Visits) -> None:
    assert visits.labels("hf:someone/folders") == {name: name.split("/")[0] for name in TWO}
    assert visits.answers["hf:someone/folders"]["name"] == "folders"


def test_revision_of_a_set_on_hugging_face(visits: Visits) -> None:
    assert set(visits.labels("hf:someone/folders@v2").values()) == {"pain", "fear"}
    assert "it has no revision 'v9'" in visits.error("hf:someone/folders@v9")


def test_parquet_on_hugging_face(visits: Visits) -> None:
    files = visits.answers["hf:someone/rows"]["files"]
    assert {path: found[:2] for path, found in files.items() if "test" in path} == {
        "data/test-00000-of-00001.parquet/1": ["happy", "test"],
        "data/test-00000-of-00001.parquet/2": ["sad", "test"],
    }
    assert sorted(f[3] for f in files.values()) == sorted(len(png(seed)) for seed in range(6))
    assert len(visits.labels("hf:someone/rows::test")) == 2


def test_archive_on_hugging_face(visits: Visits) -> None:
    assert set(visits.labels("hf:someone/packed")) == set(TWO)
    assert visits.answers["hf:someone/packed"]["name"] == "packed"


def test_table_on_hugging_face_names_no_file_of_this_machine(visits: Visits) -> None:
    files = visits.answers["hf:someone/listed::metadata.csv"]["files"]
    assert {path: found[2] for path, found in files.items()} == {
        "images/a.png": None,
        "b.png": None,
        "../../x.png": "the path leads out of the downloaded set",
        "/etc/passwd": "the path leads out of the downloaded set",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "has no such dataset, or it is private (answer 404)"),
        ("refused", "refused it (answer 403)"),
        ("broken", "answered 500"),
    ],
)
@pytest.mark.parametrize(
    ("site", "page"),
    [("kaggle", "https://www.kaggle.com/datasets/someone/"), ("hf", "https://huggingface.co/datasets/someone/")],
)
def test_refusal_says_what_happened_and_what_to_do_by_hand(
    site: str, page: str, name: str, said: str, visits: Visits
) -> None:
    line = visits.error(f"{site}:someone/{name}")
    assert said in line
    assert f"download it by hand at {page}{name} and give the file: mien audit the-file.zip" in line


def test_gated_set_on_hugging_face_names_the_page_with_its_terms(visits: Visits) -> None:
    line = visits.error("hf:someone/gated")
    assert "agree to terms" in line
    assert "hf auth login" in line
    assert "https://huggingface.co/datasets/someone/gated" in line


def test_nothing_but_the_answer_is_on_stdout(visits: Visits) -> None:
    assert visits.stdout.count("\n") == 1
    assert "Downloading" in visits.stderr, "the clients said nothing at all: the test proves nothing"


def test_nobody_at_the_other_end(nowhere: str, tmp_path: Path) -> None:
    down = visit(nowhere, tmp_path, "kaggle:someone/faces", "hf:someone/folders")
    assert "Kaggle cannot be reached; or download it by hand" in down.error("kaggle:someone/faces")
    assert "Hugging Face cannot be reached; or download it by hand" in down.error("hf:someone/folders")


def test_what_was_downloaded_once_needs_no_network(nowhere: str, home: Path, visits: Visits) -> None:
    version = "kaggle:someone/faces/versions/3"
    down = visit(nowhere, home, "kaggle:someone/faces", version, "hf:someone/folders")
    assert f"cannot be reached ({version} lies on this machine already)" in down.error("kaggle:someone/faces")
    assert down.labels(version) == visits.labels("kaggle:someone/faces")
    assert down.labels("hf:someone/folders") == visits.labels("hf:someone/folders")


@pytest.mark.parametrize(
    "spec",
    ["kaggle:faces", "kaggle:a/b/c", "kaggle:a/b/versions/x", "kaggle:", "hf:", "hf:a/b/c", "hf:a/b@", "hf:../x y"],
)
def test_malformed_name_is_refused_before_any_request(spec: str) -> None:
    with pytest.raises(SourceError, match=r"expected (kaggle|hf):owner/name") as error:
        open_source(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("spec", "package"), [("kaggle:a/b", "kagglehub"), ("hf:a/b", "huggingface_hub")])
def test_missing_client_names_the_extra(spec: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'mien[train]'")) as error:
        open_source(spec)
    assert package in str(error.value)
