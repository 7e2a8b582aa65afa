"""Which files are variants of one picture, by their names: copies, crops, flips; skin tones of emoji."""

import re
from unicodedata import normalize

CHANGED = re.compile(  # the end of the name of a copy that a person, a program or an augmentation made
    r"[-_ .]+(?:copy|aug(?:mented)?|h?flip(?:ped)?|vflip|mirror(?:ed)?|crop(?:ped)?)(?:[-_ ]?\d{1,2})?$"
    r"|[-_ .]+rot(?:ated?)?(?:[-_ ]?(?:\d{1,2}|180|270))?$",
    re.IGNORECASE,
)
EMOJI = re.compile(r"(?:emoji_?)?u?([0-9a-f]{4,5}(?:[-_][0-9a-f]{4,5})*)", re.IGNORECASE)
VARYING = frozenset(  # code points: skin tones, presentation, joiner, the signs of gender, and directions
    "1f3fb 1f3fc 1f3fd 1f3fe 1f3ff fe0f 200d 2640 2642 27a1".split()  # noqa: SIM905
)
PERSON = {"1f468": "1f9d1", "1f469": "1f9d1"}  # man and woman


def variants_key(name: str) -> str:
    """A text that the names of all variants of a picture share.

    "cat-flipped" and "cat_crop2" are variants of "cat". Of names made of the code points of emoji ("1f44b-1f3fe",
    "emoji_u1f44b"), skin tone and gender vary. Numbered names ("cat-2", "cat (2)", "cat_crop_0002") are different
    pictures.

    Args:
        name: without suffix; "/" between folders.
    """
    folder, slash, stem = normalize("NFC", name).rpartition("/")
    if emoji := EMOJI.fullmatch(stem):
        points = re.split("[-_]", emoji[1].lower())
        stem = "-".join(PERSON.get(point, point) for point in points if point not in VARYING) or stem
    while (shorter := CHANGED.sub("", stem)) not in ("", stem):
        stem = shorter
    return folder + slash + stem
