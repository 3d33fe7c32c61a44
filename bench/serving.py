"""Load on the service: clients that call without a pause, against one client alone and against ``mien predict``.

``python bench/serving.py PHOTOS [SECONDS]``: PHOTOS is a set with labels, as for ``mien study``. Three rounds of all
three, so that a busy machine slows them alike; SECONDS is how long eight clients call in all.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from mien.data.reading.pictures import Picture
from mien.data.reading.preprocess import decode
from mien.data.sources import open_images
from mien.recognizer import Recognizer

PORT = 7899
URL = f"http://127.0.0.1:{PORT}"
PHOTOS, ROUNDS = 200, 3


def main(spec: str, seconds: float = 60) -> None:
    source = open_images(spec)
    contents = [source.read(file) for file in source.files if file.ignored is None][:PHOTOS]
    recognizer = Recognizer.default()
    command = [sys.executable, "-c", "from mien.cli import main; main()", "app", "--api-only", "--port", str(PORT)]
    server = subprocess.Popen(command)
    try:
        wait()
        load(contents, 8, seconds / 4)  # warm-up
        before, rounds = memory(server.pid), []
        for _ in range(ROUNDS):
            bare = alone(recognizer, contents)
            one, eight = load(contents, 1, seconds / 4), load(contents, 8, seconds / ROUNDS)
            rounds.append((eight / one, eight / bare))
            print(f"mien predict: {bare:.1f}/s; 8 clients over 1: {eight / one:.2f}, over predict: {eight / bare:.2f}")
        print("median of the rounds:", *(f"{statistics.median(ratios):.2f}" for ratios in zip(*rounds, strict=True)))
        print(f"memory now over before: {memory(server.pid) / before:.3f}")
        load(contents, 32, seconds / 3)
        print("ready after 32 clients:", httpx.get(f"{URL}/readyz").text)
    finally:
        server.terminate()
        print("exit code", server.wait(60))


def alone(recognizer: Recognizer, contents: list[bytes]) -> float:
    """Photos a second of the recogniser without the service, on photos in memory."""
    pictures = [Picture("", lambda content=content: decode(content).image) for content in contents]  # type: ignore[misc]
    list(recognizer.predict_pictures(pictures[:32]))
    start = time.perf_counter()
    list(recognizer.predict_pictures(pictures))
    return len(pictures) / (time.perf_counter() - start)


def load(contents: list[bytes], clients: int, seconds: float) -> float:
    """Photos a second that all clients get together; prints latencies and codes."""
    took: list[float] = []
    codes: dict[int, int] = {}
    lock, end = threading.Lock(), time.perf_counter() + seconds

    def client(number: int) -> None:
        with httpx.Client(timeout=120) as caller:
            i = number * 17
            while time.perf_counter() < end:
                start = time.perf_counter()
                answer = caller.post(f"{URL}/v1/predict", files={"images": contents[i % len(contents)]})
                with lock:
                    codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
                    if answer.status_code == 200:
                        took.append(time.perf_counter() - start)
                if answer.status_code != 200:
                    time.sleep(0.05)
                i += 1

    threads = [threading.Thread(target=client, args=(k,)) for k in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    rate = len(took) / seconds
    print(f"{clients} clients: {rate:.1f} photos/s, median {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, codes {codes}")
    return rate


def wait() -> None:
    for _ in range(240):
        try:
            if httpx.get(f"{URL}/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.25)
    raise SystemExit("the service did not start")


def memory(pid: int) -> float:
    """Resident memory in bytes."""
    (line,) = [s for s in Path(f"/proc/{pid}/status").read_text().splitlines() if s.startswith("VmRSS")]
    return 1024.0 * int(line.split()[1])


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
