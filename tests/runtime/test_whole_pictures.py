"""Pictures at their own size, with alpha, as PNG, JPEG and WebP, and animations frame by frame."""

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from bad_pictures import BAD_FILES, bomb_png, jpeg
from picture_bytes import chunk, exif, gif, halves, iccp, png, rgb_profile, saved
from PIL import Image, ImageOps

from gan_runtime.errors import DataError, InputError
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.remarks import NO_PROFILE
from gan_runtime.images.whole import Contents, Picture, WholeDecoder
from gan_runtime.images.writing import Encoding

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6
COLOUR, MONOCHROME = WholeDecoder(PictureOptions()), WholeDecoder(PictureOptions(mode="L"))


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def reopened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_picture_keeps_its_size_and_its_pixels() -> None:
    pixels = noise(7, 13)
    content = saved(Image.fromarray(pixels), "png")
    assert COLOUR.contents(content) == Contents(7, 13)
    picture = COLOUR.picture(content)
    np.testing.assert_array_equal(picture.colours, pixels)
    assert picture.alpha is None
    expected = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    np.testing.assert_array_equal(MONOCHROME.picture(content).colours, expected)
    np.testing.assert_array_equal(picture.in_grey().colours, expected)


def test_a_large_jpeg_is_decoded_in_full() -> None:
    content = saved(Image.fromarray(noise(300, 500)), "jpeg", quality=90)
    np.testing.assert_array_equal(COLOUR.picture(content).colours, np.asarray(reopened(content)))


def test_alpha_and_the_colours_under_it_are_kept() -> None:
    pixels = noise(5, 6, 4)
    pixels[0, 0, 3] = 0
    picture = COLOUR.picture(saved(Image.fromarray(pixels), "png"))
    np.testing.assert_array_equal(picture.colours, pixels[..., :3])
    np.testing.assert_array_equal(picture.alpha, pixels[..., 3])
    filled = picture.filled("#0a141e")
    transparent = pixels[..., 3] == 0
    assert (filled.colours[transparent] == (10, 20, 30)).all()
    np.testing.assert_array_equal(filled.colours[~transparent], pixels[..., :3][~transparent])
    assert picture.in_grey().filled("white").colours[0, 0] == 255


def test_flattening_is_pillows_composition() -> None:
    pixels = noise(5, 6, 4)
    canvas = Image.new("RGBA", (6, 5), "#102030")
    canvas.alpha_composite(Image.fromarray(pixels))
    flat = Picture(pixels[..., :3], pixels[..., 3]).flattened("#102030")
    assert flat.alpha is None
    np.testing.assert_array_equal(flat.colours, np.asarray(canvas)[..., :3])
    grey = Picture(pixels[..., :1], np.zeros((5, 6), np.uint8)).flattened("#808080")
    assert grey.colours.shape == (5, 6, 1)
    assert (grey.colours == 128).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_and_their_alpha_are_turned_upright(orientation: int) -> None:
    pixels = noise(4, 9, 4)
    content = saved(Image.fromarray(pixels), "png")
    header = content.index(b"IDAT") - 4
    content = content[:header] + chunk(b"eXIf", exif(orientation)) + content[header:]
    turned = np.asarray(ImageOps.exif_transpose(reopened(content)))
    picture = COLOUR.picture(content)
    np.testing.assert_array_equal(np.dstack([picture.colours, picture.alpha]), turned)


def test_other_kinds_of_pixels_are_read_as_in_data_sets() -> None:
    """The two decoders share their code; this only checks that it is called for each kind."""
    deep = COLOUR.picture(png(halves((0, 0, 0), (65535, 257, 65535)).astype(np.uint16), 16, RGB))
    assert deep.colours[0, [0, -1]].tolist() == [[0, 0, 0], [255, 1, 255]]
    cmyk = COLOUR.picture(saved(Image.new("CMYK", (4, 3), (255, 0, 0, 0)), "tiff"))
    assert cmyk.colours[0, 0].tolist() == [0, 255, 255]
    palette = Image.fromarray(noise(4, 5)).quantize(8)
    np.testing.assert_array_equal(COLOUR.picture(saved(palette, "png")).colours, np.asarray(palette.convert("RGB")))
    twelve = WholeDecoder(PictureOptions(mode="L", levels=(0, 4095)))
    bright = png(np.full((32, 32, 1), 4095, np.uint16), 16, GREY)
    assert (twelve.picture(bright).colours == 255).all()
    remarks: list[str] = []
    COLOUR.picture(png(halves((1, 2, 3)), 8, RGB, iccp(b"no profile")), lambda kind, value: remarks.append(kind))
    assert remarks == [NO_PROFILE]
    adobe = rgb_profile(((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.2)
    green = COLOUR.picture(png(halves((100, 200, 100)), 8, RGB, iccp(adobe))).colours[0, 0]
    assert green[0] < 20
    assert green[1] > 195


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_with_the_reason(name: str) -> None:
    content, words = BAD_FILES[name]
    with pytest.raises(DataError, match=re.escape(words)):
        COLOUR.picture(content)


def test_more_pixels_than_allowed_are_refused_before_decoding() -> None:
    with pytest.raises(DataError, match="20000 x 20000 pixels"):
        COLOUR.contents(bomb_png(20_000, 20_000))
    many = saved(
        Image.new("L", (40, 40)), "gif", save_all=True, append_images=[Image.new("L", (40, 40), i) for i in (9, 99)]
    )
    with pytest.raises(DataError, match=r"3 frames of 40 x 40 pixels, more than 4,000 pixels: .*--max-pixels"):
        WholeDecoder(PictureOptions(max_pixels=4000)).contents(many)


def moving(count: int = 4, alpha: bool = False) -> list[Image.Image]:
    """Frames of a few flat colours, which a palette holds exactly."""
    frames = []
    for i in range(count):
        frame = Image.new("RGBA", (12, 8), (40 * i, 255 - 40 * i, 7, 255))
        frame.paste((0, 0, 0, 0) if alpha else (250, 250, 0, 255), (i, 1, i + 3, 4))
        frames.append(frame)
    return frames


def animation(kind: str, frames: list[Image.Image], **settings: object) -> bytes:
    settings = {"duration": [100, 250, 70, 40][: len(frames)], "loop": 0} | settings
    first, *others = frames
    return saved(first, kind, save_all=True, append_images=others, **settings)


MOVING: dict[str, Callable[[], bytes]] = {
    "gif": lambda: animation("gif", [frame.convert("RGB") for frame in moving()]),
    "webp": lambda: animation("webp", moving(), lossless=True),
    "webp with alpha": lambda: animation("webp", moving(alpha=True), lossless=True, exact=True),
    "apng": lambda: animation("png", moving()),
    "apng with alpha": lambda: animation("png", moving(alpha=True)),
    "apng with a still": lambda: animation("png", [Image.new("RGBA", (12, 8)), *moving()], default_image=True),
}


@pytest.mark.parametrize("kind", MOVING)
def test_frames_of_animations_have_their_pixels_and_durations(kind: str) -> None:
    content = MOVING[kind]()
    assert COLOUR.contents(content) == Contents(8, 12, 4, 0)
    frames = list(COLOUR.frames(content))
    assert [duration for _, duration in frames] == [100, 250, 70, 40]
    for (picture, _), expected in zip(frames, moving(alpha="with alpha" in kind), strict=True):
        pixels = np.asarray(expected)
        np.testing.assert_array_equal(picture.filled("black").colours, pixels[..., :3])
        assert (picture.alpha is None) == (pixels[..., 3].min() == 255)
        if picture.alpha is not None:
            np.testing.assert_array_equal(picture.alpha, pixels[..., 3])


def test_the_still_of_an_animated_png_is_its_picture_in_data_sets_alone() -> None:
    content = MOVING["apng with a still"]()
    assert COLOUR.picture(content).alpha is not None
    assert next(COLOUR.frames(content))[0].alpha is None


def test_the_first_frame_of_a_gif_may_be_smaller_than_its_screen() -> None:
    picture = COLOUR.picture(gif(8, 8, np.ones((4, 4), int), (2, 2)))
    assert picture.alpha is not None
    assert picture.alpha.sum() == 16 * 255


def test_pages_of_a_tiff_are_no_animation() -> None:
    pages = [Image.new("L", (4, 4), level) for level in (10, 20)]
    content = saved(pages[0], "tiff", save_all=True, append_images=pages[1:])
    assert COLOUR.contents(content).frames == 1
    assert (COLOUR.picture(content).colours == 10).all()


@pytest.mark.parametrize("kind", ["gif", "webp", "apng"])
def test_truncated_animations_are_refused(kind: str) -> None:
    content = MOVING[kind]()
    for left in range(len(content) // 2, len(content) - 24, 7):  # IEND says nothing of the pixels of a PNG
        with pytest.raises(DataError, match="damaged"):
            _ = COLOUR.contents(content[:left]), list(COLOUR.frames(content[:left]))
    COLOUR.contents(content + b"trailing bytes")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_lossless_formats_keep_every_byte(suffix: str, channels: int, with_alpha: bool) -> None:
    alpha = noise(9, 5, 1, seed=1)[..., 0] if with_alpha else None
    picture = Picture(noise(9, 5, channels), alpha)
    content = Encoding(suffix).still(picture)
    again = (COLOUR if channels == 3 else MONOCHROME).picture(content)
    np.testing.assert_array_equal(again.colours, picture.colours)
    assert (again.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(again.alpha, alpha)
    assert Encoding(suffix).still(picture) == content


def test_jpeg_has_a_quality_and_no_alpha() -> None:
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (64, 64, 3)).copy()
    best, usual, worst = (Encoding(".jpg", quality).still(Picture(smooth)) for quality in (100, None, 5))
    assert len(worst) < len(usual) < len(best)
    assert np.abs(np.asarray(reopened(usual), int) - smooth).max() <= 4
    assert reopened(Encoding(".jpeg").still(Picture(smooth[..., :1]))).mode == "L"
    half = Encoding(".jpg", background="#ff0000").still(Picture(smooth, np.zeros((64, 64), np.uint8)))
    red = np.asarray(reopened(half))
    assert red[..., 0].min() > 250
    assert red[..., 1:].max() < 5
    assert len(Encoding(".webp", 50).still(Picture(noise(64, 64)))) < len(
        Encoding(".webp").still(Picture(noise(64, 64)))
    )


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_animations_are_read_back_as_they_were(suffix: str, with_alpha: bool, plays: int) -> None:
    frames = list(COLOUR.frames(MOVING["apng with alpha" if with_alpha else "apng"]()))
    content = Encoding(suffix).animation(frames, plays)
    assert COLOUR.contents(content) == Contents(8, 12, 4, plays)
    for (again, duration), (picture, expected) in zip(COLOUR.frames(content), frames, strict=True):
        assert duration == expected
        np.testing.assert_array_equal(again.filled("black").colours, picture.filled("black").colours)
        assert (again.alpha is None) == (picture.alpha is None)
        if picture.alpha is not None:
            np.testing.assert_array_equal(again.alpha, picture.alpha)


def test_formats_refuse_what_they_cannot_hold() -> None:
    picture = Picture(noise(2, 3))
    with pytest.raises(InputError, match=r"\.bmp: choose one of \.png"):
        Encoding(".bmp")
    with pytest.raises(InputError, match=r"--quality: \.png has none"):
        Encoding(".png", 90)
    with pytest.raises(InputError, match=r"is no animation; \.gif is for animations"):
        Encoding(".gif").still(picture)
    with pytest.raises(InputError, match=r"is an animation; \.jpg holds one picture"):
        Encoding(".jpg").animation([(picture, 10), (picture, 10)])
    with pytest.raises(InputError, match="20000 x 1 pixels; WEBP has at most 16,383 per side"):
        Encoding(".webp").still(Picture(np.zeros((1, 20_000, 3), np.uint8)))


def test_truncated_jpegs_and_odd_loops_do_no_harm() -> None:
    with pytest.raises(DataError, match="truncated"):
        COLOUR.picture(jpeg()[:-900])
    once = animation("gif", [frame.convert("RGB") for frame in moving()], loop=None)
    assert b"NETSCAPE" not in once
    assert COLOUR.contents(once).plays == 1
