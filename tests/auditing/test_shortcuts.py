"""What formats, sizes, light and frames give away: found where planted, not found where labels are random."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from mien.auditing.shortcuts import find_shortcuts
from mien.results.audit import Culprit, Shortcuts

LABELS = ("anger", "fear", "happy", "sad")


def manifest(n: int, seed: int, labels: tuple[str, ...] = LABELS) -> pl.DataFrame:
    """Photos of several formats, sizes and light, whose labels have nothing to do with them."""
    rng = np.random.default_rng(seed)
    width, height = (
        rng.choice([300, 612, 640, 1024], n) + rng.integers(0, 2, n) * rng.integers(0, 90, n) for _ in "wh"
    )
    saturation = np.where(rng.random(n) < 0.1, 0, rng.beta(2, 4, n))
    return pl.DataFrame(
        {
            "source": rng.choice(["lab", "web"], n),
            "label": rng.choice(labels, n),
            "status": "ok",
            "format": rng.choice(["JPEG", "PNG", "WEBP"], n, p=[0.8, 0.12, 0.08]),
            "mode": rng.choice(["RGB", "L", "CMYK"], n, p=[0.9, 0.08, 0.02]),
            "bytes": (width * height * rng.gamma(4, 0.05, n)).astype(int),
            "width": width.astype(np.int32),
            "height": height.astype(np.int32),
            "brightness": rng.beta(5, 5, n).astype(np.float32),
            "contrast": rng.beta(3, 8, n).astype(np.float32),
            "saturation": saturation.astype(np.float32),
            "is_grey": saturation == 0,
            "border": np.where(rng.random(n) < 0.06, rng.random(n) / 2, 0).astype(np.float32),
            "banner": np.where(rng.random(n) < 0.06, 0.08, 0).astype(np.float32),
            "near_group": np.arange(n),
        }
    )


def plant(table: pl.DataFrame, label: str, share: float, **columns: Any) -> pl.DataFrame:
    """Set columns in the first photos of a label, so many of them."""
    of_label = pl.col("label") == label
    chosen = of_label & (of_label.cum_sum() <= share * int((table["label"] == label).sum()))
    return table.with_columns(
        pl.when(chosen)
        .then(pl.lit(value) if isinstance(value, str) else value)
        .otherwise(name)
        .cast(table[name].dtype)
        .alias(name)
        for name, value in columns.items()
    )


def the_culprit(found: Shortcuts) -> Culprit:
    assert found.found
    assert found.culprits, found
    return found.culprits[0]


@pytest.mark.heavy
def test_random_labels_have_no_shortcut() -> None:
    alarms = [seed for seed in range(12) if find_shortcuts(manifest(250, seed), seed).found]
    assert not alarms


def test_both_judgements_follow_from_the_stored_level_and_what_was_found() -> None:
    told = []
    for table in (manifest(250, 1), plant(manifest(400, 2), "sad", 0.3, format="WEBP")):
        found = find_shortcuts(table, 0)
        assert found.p is not None
        assert found.level is not None
        assert found.tells_classes == (found.p <= found.level)
        assert found.found == (found.tells_classes or bool(found.culprits))
        told.append(found.tells_classes)
    assert told == [False, True]


def test_scores_of_random_labels_lie_around_chance() -> None:
    found = find_shortcuts(manifest(400, 1), 0)
    assert found.macro_f1 is not None
    assert found.chance is not None
    assert found.chance_high is not None
    assert found.macro_f1 == pytest.approx(found.chance, abs=0.07)
    assert 0.15 < found.chance < found.chance_high < 0.35
    assert found.p is not None
    assert found.p > 0.01
    assert {s.property for s in found.properties} > {"format", "source", "width", "aspect", "border", "banner"}


def test_a_format_of_one_class_is_named_with_its_counts() -> None:
    table = plant(manifest(400, 2), "sad", 0.3, format="WEBP")
    webp = table.filter(pl.col("format") == "WEBP")
    culprit = the_culprit(find_shortcuts(table, 0))
    assert (culprit.property, culprit.what, culprit.label) == ("format", "WEBP", "sad")
    assert (culprit.of, culprit.count) == (len(webp), len(webp.filter(pl.col("label") == "sad")))
    assert culprit.expected == pytest.approx((table["label"] == "sad").mean())
    assert culprit.p < 1e-4


def test_a_white_border_in_one_class_is_named() -> None:
    culprit = the_culprit(find_shortcuts(plant(manifest(400, 3), "happy", 0.4, border=0.2), 0))
    assert (culprit.property, culprit.label) == ("border", "happy")
    assert culprit.count / culprit.of > 0.6


def test_a_strip_with_text_in_one_class_is_named_in_words() -> None:
    culprit = the_culprit(find_shortcuts(plant(manifest(400, 3), "fear", 0.4, banner=0.08), 0))
    assert (culprit.property, culprit.what, culprit.label) == ("banner", "any", "fear")


def test_a_shift_of_brightness_is_found_and_scored() -> None:
    darker = pl.col("brightness") * 0.5
    found = find_shortcuts(plant(manifest(400, 4), "fear", 1.0, brightness=darker), 0)
    culprit = the_culprit(found)
    assert (culprit.property, culprit.label) == ("brightness", "fear")
    assert culprit.what.startswith("up to 0.")
    assert found.properties[0].property == "brightness"
    assert found.properties[0].p <= 0.05
    assert found.macro_f1 is not None
    assert found.chance_high is not None
    assert found.macro_f1 > found.chance_high


def test_a_size_of_one_class_is_named_in_pixels() -> None:
    small = plant(manifest(400, 5), "anger", 0.5, width=200, height=200)
    culprit = the_culprit(find_shortcuts(small, 0))
    assert culprit.label == "anger"
    assert culprit.property in ("width", "height")
    assert culprit.what in ("200 px", "up to 200 px")
    assert culprit.count == culprit.of


def test_a_shortcut_of_two_classes_is_named_for_both() -> None:
    table = plant(plant(manifest(600, 6), "sad", 0.4, banner=0.08), "fear", 0.4, format="PNG")
    named = {(c.property, c.label) for c in find_shortcuts(table, 0).culprits}
    assert {("banner", "sad"), ("format", "fear")} <= named


def test_one_shortcut_seen_in_two_properties_is_named_once() -> None:
    table = plant(manifest(400, 7), "sad", 0.4, format="WEBP", banner=0.08)
    assert len([c for c in find_shortcuts(table, 0).culprits if c.label == "sad"]) == 1


def test_a_source_that_holds_one_class_is_named() -> None:
    table = manifest(400, 8).with_columns(
        source=pl.when(pl.col("label") == "sad").then(pl.lit("archive")).otherwise("source")
    )
    culprit = the_culprit(find_shortcuts(table, 0))
    assert (culprit.property, culprit.what, culprit.label) == ("source", "archive", "sad")
    assert culprit.count == culprit.of == (table["label"] == "sad").sum()


def test_copies_of_one_picture_are_one_piece_of_evidence() -> None:
    """Sixty re-encodings of a single photo say nothing of other photos."""
    table = manifest(300, 9)
    photo = table.filter((pl.col("label") == "sad") & (pl.col("format") == "JPEG")).head(1)
    copies = pl.concat([photo] * 60).with_columns(format=pl.lit("TIFF"))
    found = find_shortcuts(pl.concat([table, copies]), 0)
    assert not found.found
    assert found.pictures == 300
    assert found.photos == 360


def test_two_equal_classes_can_have_a_culprit() -> None:
    table = plant(manifest(200, 10, ("pain", "sad")), "pain", 0.4, format="WEBP")
    culprit = the_culprit(find_shortcuts(table, 0))
    assert (culprit.what, culprit.label) == ("WEBP", "pain")


def test_the_same_seed_gives_the_same_answer() -> None:
    table = plant(manifest(200, 11), "sad", 0.3, format="WEBP")
    assert find_shortcuts(table, 3) == find_shortcuts(table, 3)


@pytest.mark.heavy
def test_a_larger_set_is_sampled_for_the_score_and_counted_in_full() -> None:
    table = plant(manifest(5000, 12), "sad", 0.1, format="WEBP")
    found = find_shortcuts(table, 0)
    assert found.pictures == 4000
    assert found.photos == 5000
    assert the_culprit(found).of == (table["format"] == "WEBP").sum()


def test_too_few_photos_are_not_judged() -> None:
    for table in (manifest(60, 13), manifest(0, 13), manifest(100, 13, ("sad",))):
        found = find_shortcuts(table, 0)
        assert not found.found
        assert found.macro_f1 is None
        assert found.reason is not None
        assert "20" in found.reason


def test_a_small_class_is_left_out_and_the_rest_judged() -> None:
    table = pl.concat([manifest(200, 14), manifest(5, 15, ("pain",)).with_columns(pl.col("near_group") + 1000)])
    found = find_shortcuts(table, 0)
    assert found.photos == 200
    assert found.macro_f1 is not None


def test_photos_that_are_all_alike_give_nothing_away() -> None:
    row = manifest(1, 16).row(0, named=True)
    alike = pl.DataFrame([row | {"label": LABELS[i % 4], "near_group": i} for i in range(200)])
    found = find_shortcuts(alike, 0)
    assert not found.found
    assert found.reason is not None


def test_only_usable_labelled_rows_count() -> None:
    table = manifest(200, 17)
    unread = table.head(30).with_columns(status=pl.lit("unreadable"), brightness=None, near_group=None)
    unlabelled = table.head(30).with_columns(label=None)
    assert find_shortcuts(pl.concat([table, unread, unlabelled], how="vertical_relaxed"), 0).photos == 200
