"""Whether a GIF is complete: Pillow shows the frames of a truncated one that it finds."""

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B  # blocks of GIF89a
SCREEN, DESCRIPTOR = 13, 10  # bytes of the header with the screen, and of an image before its table of colours
TABLE_FLAG, TABLE_BITS = 0x80, 7


def is_complete_gif(content: bytes) -> bool:
    """Whether all blocks of the GIF are there, up to its trailer. Nothing is decompressed."""
    try:
        at = SCREEN + _table(content[10])
        while content[at] != TRAILER:
            if content[at] == EXTENSION:
                at = _after_data(content, at + 2)
            elif content[at] == IMAGE:
                at = _after_data(content, at + DESCRIPTOR + _table(content[at + 9]) + 1)
            else:
                return False
    except IndexError:
        return False
    return True


def _table(flags: int) -> int:
    """Bytes of the table of colours."""
    return 3 * 2 ** ((flags & TABLE_BITS) + 1) if flags & TABLE_FLAG else 0


def _after_data(content: bytes, at: int) -> int:
    """The place after the blocks of data at `at`, each of which begins with its length; the last one has length 0."""
    while length := content[at]:
        at += 1 + length
    return at + 1
