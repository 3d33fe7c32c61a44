"""The one owner of label names: which spellings mean the same expression, and how two sets of classes match.

A model keeps the class names of the data it was trained on, in a stored order. Two sets are matched by
name first and by synonym second, never by position.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabelError

__all__ = [
    "NOTHING_CHOSEN",
    "OTHER_EXPRESSIONS",
    "SYNONYMS",
    "TRANSLATIONS",
    "LabelChoices",
    "LabelMap",
    "canonical",
    "class_indices",
    "class_places",
    "expressions_in",
    "is_code",
    "is_expression",
    "match_labels",
    "meanings",
    "says_nothing_else",
    "usual_choices",
]

SYNONYMS: dict[str, tuple[str, ...]] = {
    "anger": ("ang", "angry", "mad", "an", "rage"),
    "contempt": ("contemptuous", "scorn"),
    "disgust": ("dis", "disgusted", "di"),
    "fear": ("fea", "fearful", "afraid", "scared", "fe", "af"),
    "happy": ("hap", "happiness", "joy", "joyful", "ha", "smile", "smiling"),
    "neutral": ("neu", "ne", "calm", "none", "no expression"),
    "pain": ("painful", "in pain", "hurt"),
    "sad": ("sadness", "sa", "unhappy", "sorrow"),
    "surprise": ("sur", "surprised", "su", "sp", "astonished", "astonishment"),
}
"""Expression → other names for it that published collections use (FER2013, CK+, JAFFE, AffectNet, RAF-DB)."""

TRANSLATIONS: dict[str, str] = {
    "anger": "wut wütend ärger zorn ira enojo enfado enojado enfadado raiva colère colere fâché rabbia arrabbiato "
    "boos boosheid woede gniew złość гнев злость злой 愤怒 生气 憤怒 怒り 怒 분노 화남 öfke kızgın marah "
    "غضب خشم "
    "生氣 क्रोध गुस्सा",
    "contempt": "verachtung desprecio desprezo mépris mepris disprezzo minachting pogarda презрение 轻蔑 蔑视 軽蔑 "
    "경멸",
    "disgust": "ekel asco nojo dégoût degout disgusto walging wstręt отвращение 厌恶 厭惡 嫌悪 혐오 iğrenme jijik "
    "اشمئزاز "
    "घृणा",
    "fear": "angst furcht miedo medo peur paura strach страх 恐惧 害怕 恐懼 恐れ 恐怖 공포 두려움 korku takut خوف ترس "
    "bang bangheid डर भय sợ",
    "happy": "freude fröhlich glücklich freudig alegría alegria feliz felicidad felicidade joie heureux gioia "
    "felice felicità blij vreugde radość szczęście радость счастье 高兴 快乐 开心 快樂 喜び 幸福 기쁨 "
    "행복 mutlu mutluluk senang bahagia سعادة فرح شادی "
    "高興 開心 खुश खुशी vui",
    "neutral": "neutro neutre neutra neutrale neutraal neutralny neutralna neutralne нейтральный нейтрально "
    "нейтральное 中性 无表情 平静 無表情 中立 중립 무표정 nötr netral محايد خنثی "
    "平靜 तटस्थ",
    "pain": "schmerz dolor dor douleur dolore pijn ból боль 疼痛 痛み 통증 ağrı sakit ألم درد",
    "sad": "traurig trauer traurigkeit triste tristeza tristesse tristezza verdriet verdrietig smutek smutny "
    "грусть печаль грустный 悲伤 伤心 難過 悲しみ 悲しい 슬픔 üzgün üzüntü sedih حزن غم "
    "悲傷 傷心 उदास दुख buồn",
    "surprise": "überraschung überrascht sorpresa surpresa verrassing verrast zaskoczenie удивление 惊讶 惊喜 驚訝 "
    "驚き 놀람 놀라움 şaşkın şaşırma şaşkınlık terkejut مفاجأة تعجب "
    "驚喜 आश्चर्य",
}
"""Expression → words for it in other languages, each for one expression alone."""

_FURTHER = """
amused amusement annoyed anxiety anxious awe awkward bored boredom compassion concentrated concentration confused
confusion content contentment curious delighted desire despair determined disappointed disappointment distress doubt
embarrassed embarrassment engaged engagement envy excited excitement frown frustrated frustration gratitude grief
grimace guilt hate interest interested jealousy laugh laughing laughter love nervous other others panic pensive
pleased pout pride proud puzzled relaxed relief sceptical serenity serious shame shock shocked shy skeptical sleepy
smirk stress stressed tense thinking tired triumph uncertain unknown unsure wink worried yawn yawning nf happily
sadly fearfully angrily surprisingly disgustedly
"""
OTHER_EXPRESSIONS = frozenset(_FURTHER.split()) | {
    "non face",
    "nonface",
    "no face",
    "not a face",
    "not sure",
    "dont know",
    "don't know",
    "cannot tell",
    "unclear",
    "undecided",
    "mixed",
    "ambiguous",
    "negative",
    "positive",
}
"""Further words that a class of faces may bear, each standing for itself; so are raters' words for no expression."""

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_THREE_LETTERS = ("ang", "dis", "fea", "hap", "neu", "sur")
_CODES = frozenset(["an", "af", "ca", "co", "di", "fe", "ha", "ne", "sa", "sp", "su", *_THREE_LETTERS])
_NOT_QUITE_NEUTRAL = frozenset({"none", "calm"})
"""Neutral by themselves; beside a class that is neutral, AffectNet's ``None`` and RAVDESS's ``calm`` are another."""

_CANONICAL = {other: name for name, others in SYNONYMS.items() for other in (name, *others)} | {
    word: name for name, words in TRANSLATIONS.items() for word in words.split()
}


def canonical(name: str) -> str:
    """The expression a class name stands for; an unknown name stands for itself, in lower case.

    A leading number as in ``3_happy`` and differences of case, ``_``, ``-`` and spaces do not count. A number alone
    stands for itself: ``-1`` is not ``1``.
    """
    if _NUMBER.fullmatch(name.strip()):
        return name.strip()
    plain = _plain(name)
    return _CANONICAL.get(plain, plain)


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Name → the expression it stands for among the others: ``None`` is neutral only where no other class is."""
    found = {name: canonical(name) for name in names}
    if any(meaning == "neutral" and _plain(name) not in _NOT_QUITE_NEUTRAL for name, meaning in found.items()):
        found |= {name: _plain(name) for name in found if _plain(name) in _NOT_QUITE_NEUTRAL}
    return found


def is_expression(name: str) -> bool:
    """Whether a name is a word for an expression, or holds one: ``Happy``, ``3_happy``, ``happy women``, ``Wut``."""
    plain = _plain(name)
    return plain in _CANONICAL or plain in OTHER_EXPRESSIONS or bool(expressions_in(name))


def expressions_in(name: str) -> frozenset[str]:
    """The expressions that a name holds words for: those of ``Happily Surprised``, or that of ``clip_anger_3``."""
    parts = _parts(name)
    parts += [part[len(no[0]) :] for part in parts if (no := re.match("non?|not|un", part))]  # nopain, unhappy
    return frozenset(_CANONICAL.get(part, part) for part in parts if _is_word(part))


def says_nothing_else(name: str) -> bool:
    """Whether a name is words for expressions alone, as ``Anger`` and ``Sadly Angry`` are and ``clip_anger`` is not."""
    plain = _plain(name)
    return plain in _CANONICAL or plain in OTHER_EXPRESSIONS or all(map(_is_word, _parts(name) or [""]))


def _parts(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", _plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))


def _is_word(part: str) -> bool:
    return (part in _CANONICAL and part not in _CODES) or part in OTHER_EXPRESSIONS


def is_code(name: str) -> bool:
    """Whether a name is two or three letters that stand for an expression in names, such as ``AN`` and ``ANG``."""
    return _plain(name) in _CODES


def _plain(name: str) -> str:
    plain = re.sub(r"[\s_\-]+", " ", unicodedata.normalize("NFC", name)).strip().lower()
    plain = re.sub(r"(?<=\w)( copy| kopie)?( \(\d+\))?$", "", plain)  # of a folder that was copied
    return re.sub(r"^\d+[ .]*(?=[^\W\d_])", "", plain)


@dataclass(frozen=True)
class LabelChoices:
    """What a person decided of a target's classes; those that are not named are matched by name and synonym.

    Attributes:
        classes: target class → the model's class that it answers to.
        drop: target classes whose photos take no part in any score.
        unknown: target classes that the model does not know, whatever they are called.
        file: where it was read, for messages.
    """

    classes: dict[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    file: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Every target class of which something was decided."""
        return (*self.classes, *self.drop, *self.unknown)


@dataclass(frozen=True)
class LabelMap:
    """How the classes of a target set answer to those of a model.

    Attributes:
        model: the model's classes, in its order.
        matched: target class → model class.
        extra: target classes the model does not know, in the target's order.
        dropped: target classes that a person left out, in the target's order.
    """

    model: tuple[str, ...]
    matched: dict[str, str]
    extra: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """Target class → ``"exact"``, ``"synonym"``, ``"given"`` by a person alone, or ``"merged"`` where several
        target classes answer to one model class.
        """
        return {name: _kind(name, self.matched) for name in self.matched}

    @property
    def shared(self) -> tuple[str, ...]:
        """The model classes that occur in the target, each once, in order of first appearance."""
        return tuple(dict.fromkeys(self.matched.values()))

    @property
    def missing(self) -> tuple[str, ...]:
        """Model classes without a counterpart in the target, in the model's order."""
        return tuple(label for label in self.model if label not in self.shared)

    def among(self, present: Iterable[str]) -> LabelMap:
        """The same of some of the target's classes, such as those that have a photo which can be read.

        Raises:
            LabelError: if none of them is shared.
        """
        names = set(present)
        matched = {name: label for name, label in self.matched.items() if name in names}
        if not matched:
            raise _none_shared(self.model, sorted(names))
        extra, dropped = (tuple(name for name in each if name in names) for each in (self.extra, self.dropped))
        return LabelMap(self.model, matched, extra, dropped)


NOTHING_CHOSEN = LabelChoices()
MAP_THEM = "map its classes in a file (--class-map)"


def match_labels(
    model_labels: Sequence[str], target_labels: Iterable[str], choices: LabelChoices = NOTHING_CHOSEN
) -> LabelMap:
    """Match a target's classes to a model's: as a person chose, else by name, else by synonym.

    Args:
        choices: may name classes that this target does not have, for one file may serve several targets.

    Raises:
        LabelError: if they share no class at all, a synonym fits several classes of the model, or a choice names a
            class that the model does not know.
    """
    target_labels = list(target_labels)
    _check_known(model_labels, choices)
    matched: dict[str, str] = {}
    meant = meanings(target_labels)
    for name in target_labels:
        answers = _answers(name, meant[name], model_labels, choices)
        if len(answers) > 1:
            raise LabelError(
                f"the target's class {name!r} could be any of the model's {', '.join(answers)}; "
                f"rename it in the table or folder to the one that is meant, or {MAP_THEM}"
            )
        if answers:
            matched[name] = answers[0]
    if not matched:
        raise _none_shared(model_labels, target_labels)
    dropped = tuple(name for name in target_labels if name in choices.drop)
    extra = tuple(name for name in target_labels if name not in matched and name not in dropped)
    return LabelMap(tuple(model_labels), matched, extra, dropped)


def usual_choices(model_labels: Sequence[str], target_labels: Iterable[str]) -> LabelChoices:
    """What holds without any choice, as choices to edit; what fits no class of the model, or several, is unknown."""
    meant = meanings(target_labels)
    found = {name: _answers(name, meant[name], model_labels, NOTHING_CHOSEN) for name in meant}
    classes = {name: answers[0] for name, answers in found.items() if len(answers) == 1}
    return LabelChoices(classes, unknown=tuple(name for name in found if name not in classes))


def class_places(labels: Iterable[str]) -> dict[str, int]:
    """Each label's place in their order."""
    return {label: i for i, label in enumerate(labels)}


def class_indices(
    names: Iterable[str], labels: Sequence[str], matched: Mapping[str, str] | None = None
) -> NDArray[np.int64]:
    """Places (N,) of classes in an order of labels.

    Args:
        names: N classes.
        matched: what stands for a class in ``labels``; equal names where it says nothing.
    """
    place, other = class_places(labels), matched or {}
    return np.fromiter((place[other.get(name, name)] for name in names), np.int64)


def _none_shared(model_labels: Sequence[str], target_labels: Sequence[str]) -> LabelError:
    return LabelError(
        f"no class is shared: the model knows {', '.join(model_labels)}; the target has "
        f"{', '.join(target_labels)}. Rename the classes in the table or folders, or map them with --class-map."
    )


def _answers(name: str, meant: str, model_labels: Sequence[str], choices: LabelChoices) -> list[str]:
    """The model's classes that a target's class of a meaning may answer to."""
    if name in choices.classes:
        return [choices.classes[name]]
    if name in choices.named:
        return []
    if name in model_labels:
        return [name]
    return [label for label, meaning in meanings(model_labels).items() if meaning == meant]


def _kind(name: str, matched: dict[str, str]) -> str:
    label = matched[name]
    if list(matched.values()).count(label) > 1:
        return "merged"
    if name == label:
        return "exact"
    return "synonym" if canonical(name) == canonical(label) else "given"


def _check_known(model_labels: Sequence[str], choices: LabelChoices) -> None:
    for name, label in choices.classes.items():
        if label not in model_labels:
            raise LabelError(
                f"{choices.file}: {name} = {label!r}, but the model knows {', '.join(model_labels)}; give one of "
                "these, or name the class under drop or unknown"
            )
