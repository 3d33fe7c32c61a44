"""The layout of a set is looked at: what is clear is read and said, what is not is asked, persons are never classes."""

from __future__ import annotations

import random
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from layout_trees import PERSON_NAMES, random_tree, right
from mien.data.sources import open_source
from mien.data.sources.pattern import compile_pattern
from mien.data.sources.shape import look
from mien.data.sources.split_words import as_splits
from mien.errors import ConfigError, SourceError
from mien.labels import canonical, is_expression, match_labels, meanings
from support.layouts import CLASSES, all_read, classes_of, counted, face, grid, opened, plant, refusal, used

PERSONS = ("subject00", "subject01", "subject02", "subject03")


def advised(text: str) -> list[str]:
    """Every ``--layout`` that a refusal gives."""
    return [shlex.split(found)[0] for found in re.findall(r"--layout ('[^']*'|\S+)", text)]


# -- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("persons", [PERSONS, ("S005", "S010", "S011"), ("anna", "ben", "carla"), ("1", "2", "3", "4")])
def test_folders_of_persons_above_classes_are_groups(persons: tuple[str, ...], tmp_path: Path) -> None:
    source = opened(plant(tmp_path / "photos", grid("{person}/{label}/{i}.png", person=persons, label=CLASSES)))
    assert source.labels == CLASSES
    assert {file.group for file in source.files} == set(persons)
    assert all(file.path.split("/")[0] == file.group for file in source.files)
    assert source.notes[0].startswith(f"3 classes from the second folder, {len(persons)} groups from the first folder")


def test_folders_of_persons_below_classes_are_groups(tmp_path: Path) -> None:
    source = opened(plant(tmp_path, grid("{label}/{person}/{i}.png", person=PERSONS, label=CLASSES)))
    assert source.labels == CLASSES
    assert {file.group for file in source.files} == set(PERSONS)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train_set", "val_set"), {"train", "val"}),
        (("train", "dev"), {"train", "val"}),
        (("Training", "PublicTest", "PrivateTest"), {"train", "val", "test"}),
        (("train_images", "test_images"), {"train", "test"}),
        (("TRAIN", "development", "hold-out"), {"train", "val", "test"}),
        (("FER2013Train", "FER2013Valid", "FER2013Test"), {"train", "val", "test"}),
        (("FER2013Train", "FER2013PublicTest", "FER2013PrivateTest"), {"train", "val", "test"}),
        (("01_train", "02_test"), {"train", "test"}),
        (("faces-train-80", "faces-test-20"), {"train", "test"}),
        (("Trainingsdaten", "Testdaten"), {"train", "test"}),
        (("imagesTr", "imagesTs"), {"train", "test"}),
    ],
)
@pytest.mark.parametrize("pattern", ["{split}/{label}/{i}.png", "{label}/{split}/{i}.png", "{split}/x/{label}/{i}.png"])
def test_folders_of_splits_are_splits_wherever_they_are(
    pattern: str, names: tuple[str, ...], splits: set[str], tmp_path: Path
) -> None:
    source = opened(plant(tmp_path, grid(pattern, split=names, label=CLASSES)))
    assert source.labels == CLASSES
    assert {file.split for file in source.files} == splits
    assert len(used(source)) == len(names) * 6


def test_a_part_of_another_name_is_asked_about_and_may_be_mapped_or_left_out(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{split}/{label}/{i}.png", split=("train", "test", "extra"), label=CLASSES))
    said = refusal(root)
    assert "--split-map extra=train" in said
    assert {file.split for file in opened(root, split_map="extra=train").files} == {"train", "test"}
    source = opened(root, split_map="extra=none")
    assert {file.ignored for file in source.files if file.path.startswith("extra/")} == {"left out by --split-map"}
    assert len(used(source)) == 12


def test_a_word_for_a_split_within_a_name_is_one_only_beside_another(tmp_path: Path) -> None:
    root = plant(tmp_path / "a", grid("{p}/{label}/{i}.png", p=("test_subject_1", "test_subject_2"), label=CLASSES))
    source = opened(root)
    assert ({file.split for file in source.files}, source.groups) == ({None}, 2)
    parts = ("fer_train", "fer_test", "fer_more")
    said = refusal(plant(tmp_path / "b", grid("{split}/{label}/{i}.png", split=parts, label=CLASSES)))
    assert "--split-map 'fer_more'=train" in said
    assert as_splits(["train", "train_backup"]) == {"train": "train"}
    assert as_splits(["train_val", "test"]) == {"test": "test"}


def test_persons_without_classes_are_never_a_recogniser_of_persons(tmp_path: Path) -> None:
    for names in (PERSONS, ("S001", "S002", "S003"), tuple(f"{i:03d}" for i in range(5)), tuple(map(str, range(30)))):
        root = plant(tmp_path / names[0], grid("{person}/{i}.png", person=names))
        said = refusal(root)
        assert advised(said)[-1] == "LABEL/*"
        assert opened(root, layout="LABEL/*").labels == tuple(sorted(names))


def test_names_that_come_again_below_several_folders_are_asked_about_where_none_is_a_word(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{person}/{label}/{i}.png", person=("anna", "ben"), label=("ok", "bad")))
    choices = advised(refusal(root))
    assert choices == ["GROUP/LABEL/*", "LABEL/GROUP/*"]
    first, second = (opened(root, layout=choice) for choice in choices)
    assert (first.labels, second.labels) == (("bad", "ok"), ("anna", "ben"))
    assert {file.group for file in first.files} == {"anna", "ben"}


@pytest.mark.parametrize("labels", [("ok", "bad"), ("0", "1", "2"), ("cat", "dog"), ("engagiert", "gelangweilt")])
def test_classes_that_are_no_words_for_expressions_are_read_where_there_is_one_level(
    labels: tuple[str, ...], tmp_path: Path
) -> None:
    source = opened(plant(tmp_path, grid("{label}/{i}.png", label=labels)))
    assert set(source.labels) == set(labels)
    assert source.groups == 0


def test_numbered_classes_are_told_how_they_get_names(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{i}.png", label=("0", "1", "2")))
    assert any("--class-names" in note for note in opened(root).notes)
    source = opened(root, class_names="0=anger,1=happy,2=sad")
    assert source.labels == CLASSES
    assert len(used(source)) == 6
    assert "2 got no name" in refusal_with(root, "0=anger,1=happy").replace("class ", "")
    with pytest.raises(SourceError, match="names none of its classes"):
        opened(root, class_names="7=fear")


def refusal_with(root: Path, names: str) -> str:
    from mien.settings.columns import Columns

    return refusal(root, Columns(class_names=names))


@pytest.mark.parametrize("stranger", ["backup2", "cat", "misc_files", "Neuer Ordner"])
def test_a_folder_that_is_no_word_beside_some_that_are_is_asked_about(stranger: str, tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{i}.png", label=(*CLASSES, stranger)))
    said = refusal(root)
    assert stranger in said
    assert opened(root, layout=advised(said)[0]).labels == tuple(sorted((*CLASSES, stranger)))


def test_more_than_twenty_classes_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{i}.png", label=[f"word{chr(97 + i)}" for i in range(21)]))
    assert "21 folders" in refusal(root)
    assert len(opened(root, layout="LABEL/*").labels) == 21


def test_words_at_two_levels_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{a}/{b}/{i}.png", a=("happy", "sad"), b=("anger", "fear")))
    assert set(advised(refusal(root))) == {"LABEL/*", "*/LABEL/*"}
    assert opened(root, layout="*/LABEL/*").labels == ("anger", "fear")


def test_a_folder_without_photos_is_no_class(tmp_path: Path) -> None:
    files = grid("{label}/{i}.png", label=CLASSES)
    texts = {"annotations/list.txt": b"a 1", "docs/paper.pdf": b"%PDF-", "landmarks/0.npy": b"\x93NUMPY"}
    plant(tmp_path, texts)
    source = opened(plant(tmp_path, files))
    assert source.labels == CLASSES
    assert {f.path: f.ignored for f in source.files if f.ignored} == dict.fromkeys(texts, "in a folder without photos")


@pytest.mark.parametrize(
    "words",
    [
        ("Wut", "Freude", "Trauer"),
        ("colère", "joie", "tristesse"),
        ("enojo", "alegría", "miedo"),
        ("愤怒", "高兴", "悲伤"),
        ("怒り", "喜び", "悲しみ"),
        ("гнев", "радость", "грусть"),
        ("生氣", "開心", "悲傷"),
        ("क्रोध", "खुश", "उदास"),
        ("boos", "blij", "bang"),
        ("AN", "HA", "SU"),
        ("1_anger", "2_happy", "3_sad"),
        ("Happily Surprised", "Sadly Fearful", "Angrily Disgusted"),
        ("angry women", "happy women", "sad women"),
        ("pain", "no_pain"),
    ],
)
def test_words_of_other_languages_and_codes_are_classes(words: tuple[str, ...], tmp_path: Path) -> None:
    source = opened(plant(tmp_path, grid("{person}/{label}/{i}.png", person=PERSONS, label=words)))
    assert set(source.labels) == set(words)
    assert source.groups == 4
    assert all(map(is_expression, words))


def test_persons_within_sites_are_asked_about_unless_numbered(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "a", grid("{site}/{who}/{label}/{i}.png", site=("kiel", "bonn"), who=("eva", "tom"), label=CLASSES)
    )
    choices = advised(refusal(root))
    assert choices == ["GROUP/*/LABEL/*", "*/GROUP/LABEL/*"]
    assert opened(root, layout=choices[1]).groups == 2
    assert opened(root, layout="GROUP/GROUP/LABEL/*").groups == 4
    root = plant(
        tmp_path / "b", grid("{site}/{who}/{label}/{i}.png", site=("kiel", "bonn"), who=PERSONS, label=CLASSES)
    )
    assert opened(root).groups == 4
    root = plant(
        tmp_path / "c",
        grid("{who}/{day}/{label}/{i}.png", who=("eva", "tom"), day=("session1", "session2"), label=CLASSES),
    )
    assert {file.group for file in opened(root).files} == {"eva", "tom"}


def test_folders_that_say_how_a_photo_is_are_no_persons(tmp_path: Path) -> None:
    for names in (
        ("male", "female"),
        ("frontal", "profile"),
        ("raw", "cropped"),
        ("low", "medium", "high"),
        ("cam_left", "cam_right"),
        ("bright_light", "dim_light"),
        ("asian", "black", "white"),
    ):
        for pattern in ("{part}/{label}/{i}.png", "{label}/{part}/{i}.png"):
            root = plant(tmp_path / names[0] / pattern[1:5], grid(pattern, part=names, label=CLASSES))
            source = opened(root)
            assert (source.labels, source.groups) == (CLASSES, 0)


def test_splits_and_classes_in_one_name_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{split}_{label}/{i}.png", split=("train", "test"), label=CLASSES))
    assert "SPLIT_LABEL/*" in advised(refusal(root))
    assert counted(opened(root, layout="SPLIT_LABEL/*"))["test", "sad"] == 2


def test_two_levels_of_numbered_folders_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{who}/{take}/{i}.png", label=CLASSES, who=("u1", "u2"), take=("s1", "s2")))
    assert set(advised(refusal(root))) == {"LABEL/GROUP/*", "LABEL/*/GROUP/*"}


def test_folders_of_which_some_say_how_photos_are_and_others_not_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{p}/{label}/{i}.png", p=("young", "old", "eva"), label=CLASSES))
    choices = advised(refusal(root))
    assert choices == ["*/LABEL/*", "GROUP/LABEL/*"]
    assert [opened(root, layout=choice).groups for choice in choices] == [0, 3]


def test_folders_below_classes_that_none_shares_are_told(tmp_path: Path) -> None:
    names = [f"{label}/{who}/{i}.png" for label, who in zip(CLASSES, ("eva", "tom", "uwe"), strict=True) for i in "12"]
    source = opened(root := plant(tmp_path, names))
    assert source.groups == 0
    (choice,) = [found for note in source.notes for found in advised(note)]
    assert opened(root, layout=choice).groups == 3


def test_classes_at_several_depths_are_asked_to_be_given_apart(tmp_path: Path) -> None:
    names = grid("a/{label}/{i}.png", label=CLASSES) + grid("b/{s}/{label}/{i}.png", s=("x", "y"), label=CLASSES)
    root = plant(tmp_path, names)
    said = refusal(root)
    assert "several depths" in said
    assert not advised(said)  # no layout reads all of them
    assert opened(f"{root}::a").labels == opened(f"{root}::b").labels == CLASSES


def test_small_copies_of_photos_take_no_part(tmp_path: Path) -> None:
    names = grid("{label}/{i}.png", label=CLASSES)
    copies = [*grid("{label}/thumbs/{i}.png", label=CLASSES), *grid("_thumbnails/{label}/{i}.png", label=CLASSES)]
    source = opened(plant(tmp_path / "a", names + copies))
    assert set(classes_of(source)) == set(names)
    assert {f.ignored for f in source.files if f.path == "sad/thumbs/1.png"} == {"a small copy of sad/1.png"}
    assert len(used(opened(plant(tmp_path / "b", copies[:6])))) == 6  # where there is nothing else
    odd = ["$RECYCLE.BIN/1.png", "anger/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", "System Volume Information/2.png"]
    assert set(classes_of(opened(plant(tmp_path / "c", names + odd)))) == set(names)


@pytest.mark.parametrize(
    ("pattern", "choices"),
    [
        ("{who}_{label}_{i}.png", ["GROUP_LABEL_*.*", "*_LABEL_*.*"]),
        ("{who}.{label}.png", ["GROUP.LABEL.*", "*.LABEL.*"]),
        ("{label}-{who}-{i}.png", ["LABEL-GROUP-*.*", "LABEL-*-*.*"]),
        ("{label}/{who}_{i}.png", ["LABEL/GROUP_*", "LABEL/*"]),
        ("{label}/{who}-{i}.png", ["LABEL/GROUP-*", "LABEL/*"]),
    ],
)
def test_numbers_in_names_that_could_be_persons_are_asked_about(
    pattern: str, choices: list[str], tmp_path: Path
) -> None:
    root = plant(tmp_path, grid(pattern, who=("17", "23", "101"), label=CLASSES))
    assert advised(refusal(root)) == choices
    assert [opened(root, layout=choice).groups for choice in choices] == [3, 0]


@pytest.mark.parametrize(
    "pattern",
    [
        *("{label}_{i}.png", "{label}/{i}.png", "{label}/img_{i}.png", "{label}/20240312_{i}.png"),
        *("train_{label}_{i}.png", "x/{label}_{i}.png", "{label}/2024-03-12_{i}.png", "{label}_20240312_{i}.png"),
    ],
)
def test_counters_and_days_in_names_are_not_asked_about(pattern: str, tmp_path: Path) -> None:
    other = pattern.replace("train", "test").replace("x/", "y/").replace("0312", "0313").replace("03-12", "03-13")
    patterns = dict.fromkeys((pattern, other))
    names = [name for each in patterns for name in grid(each, 5, label=CLASSES)]
    if pattern.startswith("x/"):
        names = [name.replace("x/", "train/").replace("y/", "test/") for name in names]
    assert opened(plant(tmp_path, names)).labels == CLASSES


def test_persons_in_names_within_class_folders_are_groups(tmp_path: Path) -> None:
    names = [f"{label}/S{who:03d}_001_{i:08d}.png" for label in CLASSES for who in (10, 11, 22) for i in range(3)]
    assert {file.group for file in opened(plant(tmp_path / "ck", names)).files} == {"S010", "S011", "S022"}
    names = [
        f"{label}/{name}" for label, code in (("ANGRY", "AN"), ("HAPPY", "HA")) for name in JAFFE if f".{code}" in name
    ]
    assert {file.group for file in opened(plant(tmp_path / "jaffe", names)).files} == {"KA", "KL", "YM"}
    names = [f"{label}/img_{i:04d}.png" for label in CLASSES for i in range(3)]
    assert opened(plant(tmp_path / "plain", names)).groups == 0


def test_folders_that_cross_person_and_class_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, [f"{who}_{label}/{i}.png" for who in ("OAF", "YAF") for label in CLASSES for i in range(2)])
    choices = advised(refusal(root))
    assert choices == ["LABEL/*", "GROUP_LABEL/*"]
    source = opened(root, layout=choices[1])
    assert (source.labels, source.groups) == (CLASSES, 2)


def test_a_class_that_a_model_need_not_know_is_not_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{i}.png", label=(*CLASSES, "blue mood")))
    refusal(root)
    assert len(open_source(str(root), least_labels=1).labels) == 4


def test_numbered_folders_of_fer2013_get_their_names(tmp_path: Path) -> None:
    source = opened(plant(tmp_path, grid("{s}/{c}/{i}.png", s=("train", "test"), c="0123456")), layout="fer2013")
    assert source.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert {file.label for file in source.files if "/5/" in file.path} == {"surprise"}


# -- names of files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "groups", "splits"),
    [
        ("{label}_{i}.png", 0, 0),
        ("{label}{i}.png", 0, 0),
        ("{label} ({i}).png", 0, 0),
        ("img-{i}-{label}.png", 0, 0),
        ("{person}_{label}_{i}.png", 4, 0),
        ("{person}/{label}_{i}.png", 4, 0),
        ("{label}_{person}_{i}.png", 4, 0),
        ("{split}_{label}_{i}.png", 0, 2),
        ("{split}/{label}.{i}.png", 0, 2),
        ("{split}/{person}/{label}-{i}.png", 4, 2),
    ],
)
def test_classes_in_the_names_of_files_are_read(pattern: str, groups: int, splits: int, tmp_path: Path) -> None:
    parts = {"person": PERSONS, "split": ("train", "test"), "label": CLASSES}
    names = grid(pattern, 2, **{part: values for part, values in parts.items() if f"{{{part}}}" in pattern})
    source = opened(plant(tmp_path / "photos", names))
    assert source.labels == CLASSES
    assert len(used(source)) == len(names)
    assert all((file.label or "?") in file.path for file in used(source))
    assert source.groups == groups
    assert len({file.split for file in source.files} - {None}) == splits


def test_a_class_in_place_of_the_ending_is_read(tmp_path: Path) -> None:
    names = [f"subject{who:02d}.{label}" for who in (1, 2, 3) for label in ("happy", "sad", "wink")]
    source = opened(plant(tmp_path, names))
    assert (source.labels, source.groups, len(used(source))) == (("happy", "sad", "wink"), 3, 9)


def test_what_says_no_class_is_refused_by_what_was_looked_at(tmp_path: Path) -> None:
    said = refusal(plant(tmp_path / "a", ["004_o_m_a.jpg", "008_y_f_h.jpg"]))
    assert "004_o_m_a.jpg" in said
    assert "--layout" in said
    root = plant(tmp_path / "b", dict.fromkeys(("x.npz", "x.pkl", "x.csv.gz", "x.json", "x.txt", "x.png"), b"x"))
    for path in root.iterdir():
        assert "folders with files" not in refusal(path)  # of one file


def test_a_name_without_a_class_among_names_with_one_is_not_guessed(tmp_path: Path) -> None:
    root = plant(tmp_path, [*grid("{label}_{i}.png", label=CLASSES), "portrait_1.png"])
    assert "portrait_1.png" in refusal(root)
    (root / "portrait_1.png").unlink()
    assert opened(root).labels == CLASSES


def test_names_beside_a_table_are_asked_about(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}_{i}.png", label=CLASSES))
    (root / "labels.csv").write_text("path,label\nanger_0.png,sad\nsad_0.png,anger\n", encoding="utf-8")
    said = refusal(root)
    assert f"{root}::labels.csv" in said
    assert opened(root, layout=advised(said)[0]).labels == CLASSES
    assert classes_of(opened(f"{root}::labels.csv")) == {"anger_0.png": "sad", "sad_0.png": "anger"}


# -- asked for --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "label", "group", "split"),
    [
        ("GROUP/LABEL/*", "s1/happy/a/b.png", "happy", "s1", None),
        ("SPLIT/GROUP/LABEL/*", "train/s1/happy/b.png", "happy", "s1", "train"),
        ("*_LABEL_*", "Training_anger_0_1.png", "anger", None, None),
        ("*_LABEL_*", "deep/er/Training_anger_0.png", "anger", None, None),
        ("PERSON.LABEL(2)NUMBER.*", "KA.AN1.39.tiff", "AN", "KA", None),
        ("GROUP-*-LABEL.*", "07-x-sad.jpg", "sad", "07", None),
        ("images/LABEL/*", "Images/sad/1.png", "sad", None, None),
        ("*(1)GROUP(3)LABEL(2)*", "AF01ANHL.JPG", "AN", "F01", None),
        ("GROUP/GROUP/LABEL/*", "kiel/p1/sad/1.png", "sad", "kiel/p1", None),
        ("LABELNUMBER.*", "happy12.png", "happy", None, None),
        ("LABEL (*", "happy (12).png", "happy", None, None),
    ],
)
def test_a_layout_says_what_is_what(pattern: str, path: str, label: str, group: str | None, split: str | None) -> None:
    place = compile_pattern(pattern).match(path)
    assert place is not None
    assert (place.label, place.group, place.split) == (label, group, split)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("GROUP/LABEL/*", "happy/1.png"), ("*_LABEL_*", "a_b.png"), ("LABEL(2)NUMBER.*", "ANGRY1.png")],
)
def test_what_does_not_fit_a_layout_is_not_read_by_it(pattern: str, path: str) -> None:
    assert compile_pattern(pattern).match(path) is None


@pytest.mark.parametrize("layout", ["", "/", "a//b", "class/*", "raffdb"])
def test_a_layout_that_names_nothing_is_refused(layout: str, tmp_path: Path) -> None:
    plant(tmp_path, grid("{label}/{i}.png", label=CLASSES))
    with pytest.raises(ConfigError):
        opened(tmp_path, layout=layout)


def test_a_layout_that_fits_no_photo_is_refused_with_a_photo(tmp_path: Path) -> None:
    root = plant(tmp_path, grid("{label}/{i}.png", label=CLASSES))
    with pytest.raises(SourceError, match=r"anger/0\.png"):
        opened(root, layout="GROUP/LABEL/*")
    with pytest.raises(SourceError, match="where the class is"):
        opened(root, layout="GROUP/*")


def test_photos_that_do_not_fit_are_listed_with_their_reason(tmp_path: Path) -> None:
    root = plant(tmp_path, [*grid("{person}/{label}/{i}.png", person=PERSONS, label=CLASSES), "odd/one.png"])
    source = opened(root, layout="GROUP/LABEL/*")
    assert {f.path: f.ignored for f in source.files if f.ignored} == {
        "odd/one.png": "does not fit --layout GROUP/LABEL/*"
    }
    assert len(used(source)) == 24


# -- published collections --------------------------------------------------------------------------------------------

JAFFE = [
    f"{who}.{code}{i}.{n}.tiff"
    for n, (who, code, i) in enumerate(
        (w, c, i) for w in ("KA", "KL", "YM") for c in ("AN", "HA", "NE") for i in (1, 2)
    )
]
KDEF = [
    f"{s}{p}/{s}{p}{c}{a}.JPG"
    for s in "AB"
    for p in ("F01", "M02", "F17")
    for c in ("AF", "HA", "SU")
    for a in ("S", "FL", "HR")
]
RAFD = [
    f"Rafd{angle}_{who:02d}_Caucasian_{'fe' * (who % 2)}male_{word}_{gaze}.jpg"
    for angle in ("045", "090")
    for who in (1, 2, 61)
    for word in ("angry", "happy", "sad")
    for gaze in ("frontal", "left")
]
RAVDESS = [
    f"Actor_{a}/01-01-{e}-01-01-01-{a}_{i}.png"
    for a in ("01", "02", "14")
    for e in ("01", "03", "05")
    for i in range(2)
]


@pytest.mark.parametrize(
    ("preset", "names", "labels", "groups"),
    [
        ("jaffe", JAFFE, ("anger", "happy", "neutral"), {"KA", "KL", "YM"}),
        ("kdef", KDEF, ("fear", "happy", "surprise"), {"F01", "M02", "F17"}),
        ("rafd", RAFD, ("angry", "happy", "sad"), {"01", "02", "61"}),
        ("ravdess", RAVDESS, ("angry", "happy", "neutral"), {"01", "02", "14"}),
    ],
)
def test_names_of_published_collections_are_known_without_and_with_their_preset(
    preset: str, names: list[str], labels: tuple[str, ...], groups: set[str], tmp_path: Path
) -> None:
    root = plant(tmp_path, names)
    for source in (opened(root), opened(root, layout=preset)):
        assert source.labels == labels
        assert {file.group for file in source.files} == groups
        assert len(used(source)) == len(names)


def test_names_that_a_collection_itself_got_wrong_make_no_class(tmp_path: Path) -> None:
    root = plant(tmp_path, [*KDEF, "AM31/AM31H.JPG"])
    for source in (opened(root), opened(root, layout="kdef")):
        assert source.labels == ("fear", "happy", "surprise")
        (odd,) = [file for file in source.files if file.ignored]
        assert odd.path == "AM31/AM31H.JPG"
        assert "KDEF" in (odd.ignored or "")


def test_frames_in_folders_called_as_a_collections_videos_are_known(tmp_path: Path) -> None:
    names = [name.rpartition("_")[0] + f"/frame_{i}.png" for name in RAVDESS for i in range(2)]
    source = opened(plant(tmp_path, names))
    assert source.labels == ("angry", "happy", "neutral")
    assert {file.group for file in source.files} == {"01", "02", "14"}


def test_rafdb_as_handed_out_is_read_by_its_list(tmp_path: Path) -> None:
    names = [f"basic/Image/aligned/{split}_{i:05d}_aligned.jpg" for split in ("train", "test") for i in range(1, 5)]
    lines = "".join(f"{split}_{i:05d}.jpg {i}\n" for split in ("train", "test") for i in range(1, 5))
    plant(tmp_path, {"basic/EmoLabel/list_patition_label.txt": lines.encode()})
    source = opened(plant(tmp_path, names), layout="rafdb")
    assert source.labels == ("disgust", "fear", "happy", "surprise")
    assert counted(source)["test", "surprise"] == 1
    assert all_read(source)


def test_rafdb_by_folders_and_by_list(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "a", grid("DATASET/{split}/{label}/x{i}_aligned.jpg", split=("train", "test"), label="1234567")
    )
    source = opened(root, layout="rafdb")
    assert source.labels == ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert {file.label for file in source.files if "/1/" in file.path} == {"surprise"}
    assert {file.split for file in source.files} == {"train", "test"}


def test_affectnet_as_handed_out(tmp_path: Path) -> None:
    import io

    import numpy as np

    def number(value: int) -> bytes:
        out = io.BytesIO()
        np.save(out, np.array(str(value)))
        return out.getvalue()

    files = {
        f"{split}/images/{i}.jpg": face(seed=i, kind="JPEG") for split in ("train_set", "val_set") for i in range(6)
    }
    files |= {f"{split}/annotations/{i}_exp.npy": number(i % 3) for split in ("train_set", "val_set") for i in range(5)}
    root = plant(tmp_path, files)
    source = opened(root, layout="affectnet")
    assert counted(source) == counted(opened(root))
    assert counted(source) == {
        (split, label): n for split in ("train", "val") for label, n in (("neutral", 2), ("happy", 2), ("sad", 1))
    }
    assert {f.path for f in source.files if f.ignored == "no file says its class"} == {
        "train_set/images/5.jpg",
        "val_set/images/5.jpg",
    }


def test_affectnets_numbers_that_are_no_expression_take_no_part(tmp_path: Path) -> None:
    """By folders, and by a table of numbers."""
    files = {f"train_set/{k}/{i}.jpg": face(seed=9 * k + i, kind="JPEG") for k in (0, 1, 8, 9, 10) for i in range(2)}
    folder = plant(tmp_path / "folders", files)
    table = plant(tmp_path / "table", {name.replace("/", "-"): content for name, content in files.items()}) / "list.csv"
    table.write_text("image,expression\n" + "".join(f"{n.replace('/', '-')},{n.split('/')[1]}\n" for n in files))
    for source in (opened(folder, layout="affectnet"), opened(table, layout="affectnet")):
        assert source.labels == ("happy", "neutral")
        reasons = Counter(f.ignored for f in source.files if f.ignored is not None)
        assert sorted(reasons.values()) == [2, 2, 2]
        assert all("AffectNet" in reason for reason in reasons)


def test_ckplus_as_handed_out_and_as_passed_on(tmp_path: Path) -> None:
    shots = [(f"S{p:03d}", s, f"S{p:03d}_{s}_{n:08d}") for p in (5, 10, 11) for s in ("001", "002") for n in (1, 9)]
    files = {f"cohn-kanade-images/{p}/{s}/{name}.png": face(seed=i) for i, (p, s, name) in enumerate(shots)}
    files |= {
        f"Emotion/{p}/{s}/{name}_emotion.txt": f"   {1 + 4 * int(s[-1] == '1')}.0000000e+00\n".encode()
        for p, s, name in shots
        if name.endswith("9")
    }
    root = plant(tmp_path / "a", files)
    for source in (opened(root, layout="ckplus"), opened(root)):  # small files beside say what it is
        assert counted(source) == {(None, "anger"): 3, (None, "happy"): 3}
        assert {file.group for file in used(source)} == {"S005", "S010", "S011"}
    root = plant(tmp_path / "b", [f"CK+48/{label}/{name}.png" for label in CLASSES for _, _, name in shots])
    source = opened(root, layout="ckplus")
    assert (source.labels, source.groups, len(used(source))) == (CLASSES, 3, 36)


# -- classes ----------------------------------------------------------------------------------------------------------


def test_two_classes_of_one_meaning_are_told_and_merged_on_request(tmp_path: Path) -> None:
    labels = ("Anger", "angry ", "Happy", "happiness", "sad")
    root = plant(tmp_path, grid("{label}/{i}.png", label=labels))
    source = opened(root)
    assert set(source.labels) == set(labels)
    merges = [found for note in source.notes for found in re.findall(r"--class-names '([^']*)'", note)]
    assert len(merges) == 1  # all in one, for the option is given once
    merged = opened(root, class_names=merges[0])
    assert sorted(canonical(label) for label in merged.labels) == ["anger", "happy", "sad"]
    assert len(used(merged)) == len(used(source)) == 10


def test_splits_that_spell_a_class_differently_have_one_class(tmp_path: Path) -> None:
    names = [f"train/{label}/{i}.png" for label in ("Happy", "Sad") for i in range(2)]
    names += [f"test/{label}/{i}.png" for label in ("happy", "sadness") for i in range(2)]
    source = opened(plant(tmp_path, names))
    assert counted(source) == {(s, label): 2 for s in ("train", "test") for label in ("Happy", "Sad")}
    assert any("'happy'" in note for note in source.notes)


def test_numbers_with_and_without_a_sign_are_two_classes(tmp_path: Path) -> None:
    names = [f"{split}/{label}/{i}.png" for split, label in (("train", "-1"), ("test", "1")) for i in range(2)]
    source = opened(plant(tmp_path, [*names, "train/2/0.png", "test/2/0.png"]))
    assert source.labels == ("-1", "1", "2")
    assert not any("mean the same" in note for note in source.notes)


def test_none_is_not_neutral_where_neutral_is_there_too() -> None:
    assert meanings(["None", "Neutral", "Happy"]) == {"None": "none", "Neutral": "neutral", "Happy": "happy"}
    assert meanings(["None", "Happy"]) == {"None": "neutral", "Happy": "happy"}
    found = match_labels(("neutral", "happy"), ("None", "Neutral", "happy"))
    assert found.matched == {"Neutral": "neutral", "happy": "happy"}
    assert found.extra == ("None",)


# -- random trees -----------------------------------------------------------------------------------------------------


def test_random_trees_are_read_rightly_or_asked_about(tmp_path: Path) -> None:
    """``bench/layout_trees.py`` draws them, and runs 2,000."""
    read = [right(*random_tree(random.Random(seed)), tmp_path) for seed in range(200)]
    assert sum(read) >= 0.9 * len(read)


def test_trees_whose_classes_are_no_words_are_never_read_by_persons() -> None:
    for seed in range(60):
        draw = random.Random(seed)
        persons = [draw.choice(PERSON_NAMES[:3])(i) for i in range(draw.randint(2, 8))]
        shape = look(
            grid("{person}/{i}.png", person=persons)
            if draw.random() < 0.5
            else grid("{person}/{label}/{i}.png", person=persons, label=("ok", "bad"))
        )
        assert not shape.is_clear, (persons, shape)


def test_what_is_read_can_be_opened(tmp_path: Path) -> None:
    assert all_read(opened(plant(tmp_path, grid("{person}/{label}/{i}.png", person=PERSONS, label=CLASSES))))
