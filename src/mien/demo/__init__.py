"""Faces that the package draws itself: the embedded default set, the same on every machine.

``drawn_files`` gives the set as files, ``draw_face`` one face as a picture. Every picture is drawn from its
own seed, so one file can be had without those before it. The set has two parts:

* "demo": 602 pictures in colour of 60 people, 160 to 240 px, in six classes of unlike size, with four planted defects
  (``PLANTED``: a truncated file, a duplicate, a duplicate under another label, a near duplicate).
* "target": 200 grey pictures of 48 x 48 px of 40 other people in another hand, in seven classes that bear other names
  (``angry`` for ``anger``); made to test on what was not trained on.

A person has the same skin, hair, face and glasses in every picture, and those of "demo" are drawn about ten times each,
with every expression (``person_of``, ``age_group_of``).

The bytes are the same with Pillow 11.3, 12.0 and 13.0; releases before 11.3 fill some polygons differently.
The drawn faces show that a pipeline works. They say nothing about how a model does on people.
"""

from __future__ import annotations

from .expressions import ACTION_UNITS, UNIT_NAMES
from .files import PARTS, PLANTED, DrawnFile, Planted, age_group_of, drawn_files, file_names, person_of, read_file
from .people import AGE_GROUPS
from .portrait import draw_face

__all__ = [
    "ACTION_UNITS",
    "AGE_GROUPS",
    "PARTS",
    "PLANTED",
    "UNIT_NAMES",
    "DrawnFile",
    "Planted",
    "age_group_of",
    "draw_face",
    "drawn_files",
    "file_names",
    "person_of",
    "read_file",
]
