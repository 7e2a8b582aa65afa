"""Pictures of every mode, bit depth, orientation, transparency and profile, by the pixel values of their formats'
specifications. Most are written by hand (picture_bytes.py); stripes of one colour each show what became of it.
"""

import struct
import warnings
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from picture_bytes import (
    FLOAT,
    SHORT,
    SIDE,
    chunk,
    cmyk_profile,
    exif,
    gif,
    grey_profile,
    halves,
    iccp,
    packed,
    png,
    rgb_profile,
    saved,
    tiff,
)
from PIL import Image, ImageFile, PngImagePlugin

from gan_runtime.data import PictureOptions
from gan_runtime.data.named import load_images
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import decoder
from gan_runtime.images.remarks import DARK_LEVELS, NO_PROFILE, TRANSPARENT
from gan_runtime.manifest import ImageSize

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of a PNG
WHITE_IS_ZERO, BLACK_IS_ZERO, TIFF_RGB, TIFF_PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
BACKGROUND = "#102030"  # shows through in no other way
BEHIND = (16, 32, 48)
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))  # XYZ D50, ICC
P3_CHRM = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def decoded(content: bytes, **options: object) -> tuple[np.ndarray, list[tuple[str, float]]]:
    noticed: list[tuple[str, float]] = []
    decode = decoder(PictureOptions(**{"size": SIDE, "background": BACKGROUND} | options))
    return decode(content, lambda *notice: noticed.append(notice)), noticed


def stripes(content: bytes, count: int, **options: object) -> list[tuple[int, ...]]:
    """The colour of each of so many equal stripes; each has one colour."""
    pixels, _ = decoded(content, **options)
    edges = np.linspace(0, SIDE, count + 1).astype(int)
    parts = [pixels[:, a:b].reshape(-1, pixels.shape[2]) for a, b in pairwise(edges)]
    assert all((part == part[0]).all() for part in parts)
    return [tuple(map(int, part[0])) for part in parts]


def grey(*levels: int) -> list[tuple[int, ...]]:
    return [(level,) * 3 for level in levels]


def near(found: list[tuple[int, ...]], expected: list[tuple[float, ...]], tolerance: float = 1) -> bool:
    assert np.abs(np.array(found) - np.array(expected)).max() <= tolerance, (found, expected)
    return True


def over(colour: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    return tuple(c * alpha + b * (1 - alpha) for c, b in zip(colour, BEHIND, strict=True))


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, from linear light to 0 … 255."""
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return (curved * 255).clip(0, 255)


def in_srgb(colour: tuple[int, ...], columns: object, gamma: float) -> tuple[float, ...]:
    """A colour of a display of these primaries and gamma, worked out in floats."""
    light = np.array(columns).T @ (np.array(colour) / 255) ** gamma
    return tuple(srgb_curve(np.linalg.solve(np.array(SRGB).T, light)))


# ---- PNG: bit depths and transparency (PNG, third edition, 11.2.1, 11.3.1, 13.12)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png(bits: int, interlaced: bool) -> None:
    most = 2**bits - 1
    values = [0, most, most // 2, most // 3]
    content = png(halves(*values), bits, GREY, interlaced=interlaced)
    assert near(stripes(content, 4), grey(*(round(v * 255 / most) for v in values)), 0)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png_with_a_transparent_level(bits: int) -> None:
    most = 2**bits - 1
    for key in {0, 1, most // 2, most}:
        other = (key + 1) % (most + 1)  # the level next to it is opaque
        content = png(halves(key, other), bits, GREY, chunk(b"tRNS", struct.pack(">H", key)))
        assert stripes(content, 2) == [BEHIND, *grey(round(other * 255 / most))]
        assert decoded(content)[1] == [(TRANSPARENT, 0)] or bits == 16


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_rgb_png_with_a_transparent_colour(bits: int, interlaced: bool) -> None:
    key, same_high_bytes, other = ((0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD), (65535, 257, 0))
    if bits == 8:
        key, same_high_bytes, other = (1, 2, 3), (1, 2, 4), (255, 1, 0)
    transparent = chunk(b"tRNS", struct.pack(">3H", *key))
    content = png(halves(key, same_high_bytes, other), bits, RGB, transparent, interlaced=interlaced)
    expected = [BEHIND, *(tuple(round(v * 255 / (2**bits - 1)) for v in colour) for colour in (same_high_bytes, other))]
    assert stripes(content, 3) == expected
    assert stripes(png(halves(key, other), bits, RGB), 2)[1] == expected[2]


def test_16_bits_of_colour_are_rounded_and_not_cut_off() -> None:
    values = [(128, 255, 256), (129, 385, 386), (65280, 65406, 65407)]
    expected = [tuple(round(v / 257) for v in colour) for colour in values]
    assert stripes(png(halves(*values), 16, RGB), 3) == expected
    opaque = [(*colour, 65535) for colour in values]
    assert stripes(png(halves(*opaque), 16, RGBA), 3) == expected


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_png_with_alpha(bits: int, alpha: float) -> None:
    most = 2**bits - 1
    a = round(alpha * most)
    content = png(halves((most, 0, most // 2, a), (0, most, 0, a)), bits, RGBA)
    assert near(stripes(content, 2), [over((255, 0, 127), alpha), over((0, 255, 0), alpha)])
    content = png(halves((most // 4, a), (most, a)), bits, GREY_ALPHA)
    assert near(stripes(content, 2), [over((63, 63, 63), alpha), over((255, 255, 255), alpha)])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png(bits: int) -> None:
    palette = chunk(b"PLTE", bytes([200, 100, 50, 10, 20, 30]))
    indices = halves(0, 1)
    assert stripes(png(indices, bits, PALETTE, palette), 2) == [(200, 100, 50), (10, 20, 30)]
    for alphas in ([0], [255, 0], [128], [64, 192]):
        full = [*alphas, 255][:2]
        expected = [over(c, a / 255) for c, a in zip([(200, 100, 50), (10, 20, 30)], full, strict=True)]
        assert near(stripes(png(indices, bits, PALETTE, palette, chunk(b"tRNS", bytes(alphas))), 2), expected)


def test_transparency_is_flattened_before_a_picture_becomes_smaller() -> None:
    """Colours behind full transparency must not bleed: green ones are no part of the picture."""
    checks = np.indices((128, 128)).sum(0)[..., None] % 2
    samples = np.where(checks, (255, 0, 0, 255), (0, 255, 0, 0))
    pixels, _ = decoded(png(samples, 8, RGBA), background="blue")
    assert np.abs(pixels[8:-8, 8:-8].astype(int) - (128, 0, 128)).max() <= 1


# ---- TIFF (6.0, pages 37, 73, 77, 80, 89, 109)


def words(samples: np.ndarray, kind: str) -> bytes:
    return samples.astype(kind).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("photometric", "sign"), [(WHITE_IS_ZERO, -1), (BLACK_IS_ZERO, 1)])
@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_grey_tiff(bits: int, photometric: int, sign: int, order: str) -> None:
    most = 2**bits - 1
    values = [0, most, most // 4]
    samples = halves(*values)
    data = words(samples, f"{order}u2") if bits == 16 else b"".join(packed(samples, bits))
    expected = [round(v * 255 / most) for v in values]
    levels = expected if sign > 0 else [255 - level for level in expected]
    assert stripes(tiff(data, [bits], photometric, order), 3) == grey(*levels)
    assert stripes(tiff(zlib.compress(data), [bits], photometric, order, {259: (SHORT, [8])}), 3) == grey(*levels)


@pytest.mark.parametrize(("photometric", "levels"), [(WHITE_IS_ZERO, (255, 0, 128)), (BLACK_IS_ZERO, (0, 255, 127))])
def test_tiff_of_12_bits(photometric: int, levels: tuple[int, ...]) -> None:
    data = b"".join(packed(halves(0, 4095, 2047), 12))
    assert stripes(tiff(data, [12], photometric), 3) == grey(*levels)


@pytest.mark.parametrize("order", ["<", ">"])
def test_rgb_tiff_of_16_bits(order: str) -> None:
    values = [(65535, 0, 257 * 77), (129, 128, 65407)]
    expected = [tuple(round(v / 257) for v in colour) for colour in values]
    data = words(halves(*values), f"{order}u2")
    assert stripes(tiff(data, [16] * 3, TIFF_RGB, order), 2) == expected
    assert stripes(tiff(zlib.compress(data), [16] * 3, TIFF_RGB, order, {259: (SHORT, [8])}), 2) == expected
    half = words(halves(*[(*colour, 32768) for colour in values]), f"{order}u2")
    assert near(
        stripes(tiff(half, [16] * 4, TIFF_RGB, order, {338: (SHORT, [2])}), 2), [over(c, 0.5) for c in expected]
    )


def test_rgb_tiff_of_16_bits_in_separate_planes_is_refused() -> None:
    data = words(np.zeros((3, SIDE, SIDE)), "<u2")
    for packing, content in ((1, data), (8, zlib.compress(data))):
        more = {259: (SHORT, [packing]), 284: (SHORT, [2])}
        with pytest.raises(DataError, match="separate planes"):
            decoded(tiff(content, [16] * 3, TIFF_RGB, more=more))


@pytest.mark.parametrize("order", ["<", ">"])
def test_premultiplied_and_cmyk_tiff_of_16_bits(order: str) -> None:
    """Of these Pillow gives the upper 8 bits."""
    half = words(halves((100 * 257, 50 * 257, 25 * 257, 128 * 257)), f"{order}u2")
    first = tuple(v * 255 / 128 for v in (100, 50, 25))
    content = tiff(half, [16] * 4, TIFF_RGB, order, {338: (SHORT, [1])})
    assert near(stripes(content, 1), [over(first, 128 / 255)])
    with pytest.raises(DataError, match="--levels does not work"):
        decoded(content, levels=(0, 4095))
    inks = words(halves((0, 65535, 65535, 0), (0, 0, 0, 65535)), f"{order}u2")
    assert stripes(tiff(inks, [16] * 4, CMYK, order), 2) == [(255, 0, 0), (0, 0, 0)]


def test_tiff_with_alpha_of_each_kind() -> None:
    """ExtraSamples 0 means nothing, 1 is premultiplied and 2 is not; a palette may have one, too."""
    samples = halves((100, 50, 25, 128), (0, 0, 0, 0))
    alpha = 128 / 255
    for extra, first in ((1, (100 / alpha, 50 / alpha, 25 / alpha)), (2, (100, 50, 25))):
        content = tiff(words(samples, "u1"), [8] * 4, TIFF_RGB, more={338: (SHORT, [extra])})
        assert near(stripes(content, 2), [over(first, alpha), BEHIND])
    content = tiff(words(samples, "u1"), [8] * 4, TIFF_RGB, more={338: (SHORT, [0])})
    assert stripes(content, 2) == [(100, 50, 25), (0, 0, 0)]
    for extra, level in ((1, 50 / alpha), (2, 50)):
        content = tiff(words(halves((50, 128)), "u1"), [8] * 2, BLACK_IS_ZERO, more={338: (SHORT, [extra])})
        assert near(stripes(content, 1), [over((level,) * 3, alpha)])
    table = [0] * 768
    table[1], table[257], table[513] = 200 * 257, 100 * 257, 50 * 257
    more = {320: (SHORT, table), 338: (SHORT, [2])}
    content = tiff(words(halves((1, 255), (1, 0)), "u1"), [8] * 2, TIFF_PALETTE, more=more)
    assert stripes(content, 2) == [(200, 100, 50), BEHIND]


def test_cmyk() -> None:
    inks = [(0, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 0), (51, 102, 0, 51)]
    expected = [tuple(255 * (1 - c / 255) * (1 - k / 255) for c in (c, m, y)) for c, m, y, k in inks]
    assert near(stripes(tiff(words(halves(*inks), "u1"), [8] * 4, CMYK), 4), expected)
    photo = saved(Image.frombytes("CMYK", (SIDE, SIDE), words(halves(*inks), "u1")), "jpeg", quality=100, subsampling=0)
    assert b"Adobe" in photo[:200]  # whose CMYK is stored inverted
    pixels, _ = decoded(photo)
    assert near([tuple(pixels[16, x]) for x in (3, 12, 20, 28)], expected, 3)


def test_ycbcr_and_cielab() -> None:
    more = {530: (SHORT, [1, 1])}
    ycc = [(128, 128, 128), (76, 85, 255), (150, 44, 21)]  # ITU-R 601: grey, red, green
    content = tiff(words(halves(*ycc), "u1"), [8] * 3, YCBCR, more=more)
    assert near(stripes(content, 3), [(128, 128, 128), (254, 0, 0), (0, 255, 1)], 2)
    lab = [(128, 0, 0), (135, 81, 70), (255, 0, 0)]  # L* 255 is 100; a* and b* are signed
    content = tiff(words(halves(*lab), "u1"), [8] * 3, CIELAB)
    assert near(stripes(content, 3), [(119, 119, 119), (253, 11, 0), (255, 255, 255)], 12)
    assert near(stripes(content, 3)[::2], [(120, 120, 120), (255, 255, 255)], 1)


def test_a_variant_of_a_known_format_is_not_called_unknown() -> None:
    content = tiff(words(halves((0, 0, 0)), "<f8"), [64] * 3, TIFF_RGB)
    with pytest.raises(DataError, match="damaged, or TIFF of a variant that is not read; convert it to PNG"):
        decoded(content)


# ---- which value is white: more bits than 8 in files of 16 and 32


def test_grey_of_few_bits_in_many_is_said_to_be_dark_and_not_stretched() -> None:
    content = png(halves(0, 4095), 16, GREY)
    pixels, noticed = decoded(content)
    assert (pixels.max(), noticed) == (16, [(DARK_LEVELS, 4095)])
    assert stripes(content, 2, levels=(0, 4095)) == grey(0, 255)
    assert decoded(content, levels=(0, 4095))[1] == []
    assert decoded(png(halves(0, 16384), 16, GREY))[1] == []  # a quarter of the range: a dark picture
    colours = png(halves((4095, 0, 2047)), 16, RGB)
    assert decoded(colours)[1] == [(DARK_LEVELS, 4095)]
    assert stripes(colours, 1, levels=(0, 4095)) == [(255, 0, 127)]
    sixteen = tiff(words(halves(0, 255), "<i4"), [32], BLACK_IS_ZERO, more={339: (SHORT, [2])})
    assert decoded(sixteen)[1] == [(DARK_LEVELS, 255)]
    assert stripes(sixteen, 2, levels=(0, 255)) == grey(0, 255)
    assert decoded(png(halves(0), 16, GREY))[1] == []  # black is black


def test_levels_are_clipped_and_hold_for_deep_pictures_alone() -> None:
    content = tiff(words(halves(0, 100, 150, 900), "<u2"), [16], BLACK_IS_ZERO)
    assert stripes(content, 4, levels=(100, 200)) == grey(0, 0, 128, 255)
    inverted = tiff(words(halves(0, 100, 150, 900), "<u2"), [16], WHITE_IS_ZERO)
    assert stripes(inverted, 4, levels=(100, 200)) == grey(255, 255, 127, 0)
    assert stripes(png(halves(77), 8, GREY), 1, levels=(100, 200)) == grey(77)
    for levels in ((1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)):
        with pytest.raises(InputError, match="levels"):
            PictureOptions(levels=levels)


def test_a_tiff_may_declare_its_white() -> None:
    """By MaxSampleValue where that is a number of bits; other values are statistics of one picture."""
    samples = words(halves(0, 4095, 1000), "<u2")
    declared = tiff(samples, [16], BLACK_IS_ZERO, more={280: (SHORT, [0]), 281: (SHORT, [4095])})
    assert stripes(declared, 3) == grey(0, 255, 62)
    assert decoded(declared)[1] == []
    statistic = tiff(samples, [16], BLACK_IS_ZERO, more={281: (SHORT, [4090])})
    assert decoded(statistic)[1] == [(DARK_LEVELS, 4095)]
    wrong = tiff(samples, [16], BLACK_IS_ZERO, more={281: (SHORT, [1023])})
    assert decoded(wrong)[1] == [(DARK_LEVELS, 4095)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_and_floating_tiff(order: str) -> None:
    signed = tiff(words(halves(0, 32767), f"{order}i2"), [16], BLACK_IS_ZERO, order, {339: (SHORT, [2])})
    assert stripes(signed, 2) == grey(0, 255)
    hounsfield = tiff(words(halves(-1000, 1000, 0), f"{order}i2"), [16], BLACK_IS_ZERO, order, {339: (SHORT, [2])})
    with pytest.raises(DataError, match=r"-1000 to 1000; set black and white with --levels LO HI"):
        decoded(hounsfield)
    assert stripes(hounsfield, 3, levels=(-1000, 1000)) == grey(0, 255, 128)
    bytes_ = tiff(words(halves(-1, 1), "i1"), [8], BLACK_IS_ZERO, order, {339: (SHORT, [2])})
    with pytest.raises(DataError, match="signed numbers of 8 bits"):
        decoded(bytes_)
    floats = words(halves(0.0, 0.5, 1.0), f"{order}f4")
    plain = tiff(floats, [32], BLACK_IS_ZERO, order, {339: (SHORT, [3])})
    with pytest.raises(DataError, match="0 to 1; set black and white with --levels LO HI"):
        decoded(plain)
    assert stripes(plain, 3, levels=(0, 1)) == grey(0, 128, 255)
    white_is_zero = tiff(floats, [32], WHITE_IS_ZERO, order, {339: (SHORT, [3])})
    assert stripes(white_is_zero, 3, levels=(0, 1)) == grey(255, 127, 0)
    more = {339: (SHORT, [3]), 340: (FLOAT, [0.0]), 341: (FLOAT, [1.0])}
    assert stripes(tiff(floats, [32], BLACK_IS_ZERO, order, more), 3) == grey(0, 128, 255)
    nan = tiff(words(halves(np.nan), f"{order}f4"), [32], BLACK_IS_ZERO, order, {339: (SHORT, [3])})
    with pytest.raises(DataError, match="not finite numbers"):
        decoded(nan, levels=(0, 1))


def test_portable_maps_say_their_maximum() -> None:
    for most in (100, 255, 1000, 65535):
        kind = ">u2" if most > 255 else "u1"
        values = [0, most, most // 4]
        expected = [round(255 * v / most) for v in values]
        head = f"{SIDE} {SIDE} {most}\n".encode()
        assert near(stripes(b"P5 " + head + words(halves(*values), kind), 3), grey(*expected))
        colours = b"P6 " + head + words(halves(*[(v, 0, most) for v in values]), kind)
        assert near(stripes(colours, 3), [(level, 0, 255) for level in expected])
        assert decoded(b"P5 " + head + words(halves(most // 50), kind))[1] == []


# ---- colour profiles


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp", "avif"])
def test_profiles_are_converted_to_srgb(kind: str) -> None:
    colour = (210, 160, 130)
    exact = {"webp": {"lossless": True}, "jpeg": {"quality": 100}, "avif": {"quality": 100}}.get(kind, {})
    content = saved(Image.new("RGB", (40, 40), colour), kind, icc_profile=rgb_profile(ADOBE_RGB, 2.2), **exact)
    pixels, noticed = decoded(content)
    assert near([tuple(pixels[16, 16])], [in_srgb(colour, ADOBE_RGB, 563 / 256)], 3)  # 2.2 in 8 bits of fraction
    assert noticed == []
    assert abs(int(decoded(content, mode="L")[0][16, 16, 0]) - (pixels[16, 16] @ (0.299, 0.587, 0.114))) <= 1


def test_a_profile_of_srgb_changes_nothing() -> None:
    from PIL import ImageCms

    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decoded(saved(Image.fromarray(noise), "png", icc_profile=profile))[0], noise)


def test_profiles_of_deep_transparent_and_palette_pictures() -> None:
    expected = in_srgb((200, 100, 50), ADOBE_RGB, 563 / 256)
    profile = iccp(rgb_profile(ADOBE_RGB, 2.2))
    deep = png(halves((200 * 257, 100 * 257, 50 * 257)), 16, RGB, profile)
    palette = png(halves(0), 8, PALETTE, profile, chunk(b"PLTE", bytes([200, 100, 50])))
    assert near(stripes(deep, 1) + stripes(palette, 1), [expected] * 2, 2)
    half = png(halves((200, 100, 50, 128), (200, 100, 50, 0)), 8, RGBA, profile)
    assert near(stripes(half, 2), [over(expected, 128 / 255), BEHIND], 2)


def test_profiles_of_grey() -> None:
    expected = float(srgb_curve(np.array(64 / 255)))
    for bits, level in ((8, 64), (16, 64 * 257)):
        content = png(halves(level), bits, GREY, iccp(grey_profile(1.0)))
        assert near(stripes(content, 1), grey(round(expected)), 2)
        assert near(stripes(content, 1, mode="L"), [(round(expected),)], 2)
    alpha = png(halves((64, 128)), 8, GREY_ALPHA, iccp(grey_profile(1.0)))
    assert near(stripes(alpha, 1), [over((expected,) * 3, 128 / 255)], 2)


def test_profiles_of_cmyk() -> None:
    """Half of the black ink is L* 49.8 by the profile, and 127 of 255 without one."""
    inks = words(halves((0, 0, 0, 128), (0, 0, 0, 255), (0, 0, 0, 0)), "u1")
    plain = tiff(inks, [8] * 4, CMYK)
    assert stripes(plain, 3) == grey(127, 0, 255)
    for black in (0.0, 20.0):  # the black of the ink becomes that of the screen
        profile = cmyk_profile(black)
        content = tiff(inks, [8] * 4, CMYK, more={34675: (7, profile)})
        lightness = np.array([100 + (black - 100) * 128 / 255, black])
        y = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
        y = (y - y[1]) / (1 - y[1])
        assert near(stripes(content, 3), grey(*map(int, srgb_curve(y).round()), 255), 2)


@pytest.mark.parametrize(
    "profile", [b"", b"x", b"no profile" * 20, rgb_profile(ADOBE_RGB, 2.2)[:300], cmyk_profile(), grey_profile(1.0)]
)
def test_broken_and_foreign_profiles_are_ignored_with_a_remark(profile: bytes) -> None:
    for content in (
        png(halves((200, 100, 50)), 8, RGB, iccp(profile)),
        saved(Image.new("RGB", (40, 40), (200, 100, 50)), "tiff", icc_profile=profile or b"x"),
    ):
        pixels, noticed = decoded(content)
        assert tuple(pixels[9, 9]) == (200, 100, 50)
        assert noticed == [(NO_PROFILE, 0)]


def test_colour_chunks_of_png() -> None:
    """cICP comes before iCCP, that before sRGB, that before gAMA and cHRM (PNG, third edition, 4.3)."""
    colour = (200, 100, 50)
    linear = tuple(srgb_curve(np.array(colour) / 255))
    p3 = in_srgb_of_p3(colour)
    gamma_1, gamma_srgb = (chunk(b"gAMA", struct.pack(">I", value)) for value in (100_000, 45_455))
    srgb, wide = chunk(b"sRGB", b"\0"), chunk(b"cHRM", struct.pack(">8I", *P3_CHRM))
    usual = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    cicp, pq = chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"cICP", bytes([9, 16, 0, 1]))
    adobe = iccp(rgb_profile(ADOBE_RGB, 2.2))
    for chunks, expected in (
        ([gamma_srgb], colour),
        ([gamma_srgb, usual], colour),
        ([wide], colour),
        ([srgb, gamma_1, wide], colour),
        ([gamma_1], linear),
        ([gamma_1, usual], linear),
        ([gamma_srgb, wide], in_srgb(colour, p3_columns(), 2.2)),
        ([adobe, srgb, gamma_1], in_srgb(colour, ADOBE_RGB, 2.2)),
        ([cicp, adobe, srgb], p3),
        ([pq], colour),
        ([chunk(b"gAMA", bytes(4))], colour),
        ([gamma_srgb, chunk(b"cHRM", bytes(32))], colour),
    ):
        content = png(halves(colour), 8, RGB, *chunks)
        assert near(stripes(content, 1), [expected], 2), chunks
        assert (decoded(content)[1] == [(NO_PROFILE, 0)]) == (pq in chunks or chunks[-1] == chunk(b"cHRM", bytes(32)))
    assert near(stripes(png(halves(64), 8, GREY, gamma_1), 1), grey(round(float(srgb_curve(np.array(64 / 255))))), 2)


def p3_columns() -> np.ndarray:
    """XYZ (D50) of Display P3's primaries, from its published profile."""
    return np.array([(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)])


def in_srgb_of_p3(colour: tuple[int, ...]) -> tuple[float, ...]:
    """Display P3 has the curve of sRGB."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return tuple(srgb_curve(np.linalg.solve(np.array(SRGB).T, p3_columns().T @ linear)))


# ---- metadata, sizes, and what belongs to the whole process


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"a" * 2_000_000)),
        chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
        chunk(b"tEXt", b"x\0" + b"a" * 2_000_000),
        b"".join([chunk(b"zTXt", b"x\0\0" + zlib.compress(b"a" * 1_000_000))] * 100),
        iccp(bytes(3_000_000)),
        iccp(bytes(300_000_000)),
        chunk(b"zTXt", b"x\0\0not compressed"),
        chunk(b"acTL", b"") + chunk(b"fcTL", b"") + chunk(b"zzZz", b"private"),
    ],
    ids=["zTXt", "iTXt", "tEXt", "many", "iCCP", "bomb", "broken", "other"],
)
def test_metadata_of_png_do_not_matter(extra: bytes) -> None:
    assert stripes(png(halves((200, 100, 50)), 8, RGB, extra), 1) == [(200, 100, 50)]


def test_profiles_larger_than_a_mebibyte_are_used() -> None:
    profile = rgb_profile(ADOBE_RGB, 2.2)
    padded = struct.pack(">I", 2_000_000) + profile[4:] + bytes(2_000_000 - len(profile))
    expected = in_srgb((200, 100, 50), ADOBE_RGB, 2.2)
    assert near(stripes(png(halves((200, 100, 50)), 8, RGB, iccp(padded)), 1), [expected], 2)


def test_large_pictures_are_read_up_to_a_limit_of_our_own() -> None:
    width, height = 9_500, 10_000  # 95 million pixels: more than Pillow opens without a warning
    packer = zlib.compressobj(1)
    data = packer.compress((b"\0" + b"\xff" * (width // 8 + 1)) * height) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, GREY, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    assert len(content) < 100_000
    before = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, ImageFile.LOAD_TRUNCATED_IMAGES, [*warnings.filters]
    Path("folder").mkdir()
    for name in ("alone.png", "folder/large.png"):
        Path(name).write_bytes(content)
    size = ImageSize(SIDE, SIDE, 1)
    for source in ("alone.png", "folder"):  # any warning is an error in these tests
        assert load_images([source], size).images.tolist() == np.full((1, SIDE, SIDE, 1), 255).tolist()
    limit = PictureOptions(max_pixels=90_000_000)
    for source in ("alone.png", "folder"):
        with pytest.raises(DataError, match=r"9500 x 10000 pixels, more than 90,000,000"):
            load_images([source], size, like=limit)
    with pytest.raises(DataError, match=r"9500 x 10000 pixels, more than 90,000,000: .*--max-pixels"):
        decoded(content, max_pixels=90_000_000)
    after = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, ImageFile.LOAD_TRUNCATED_IMAGES, [*warnings.filters]
    assert before == after


# ---- orientation (Exif 2.32, 4.6.4: where row 0 and column 0 of what is stored are seen)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_orientations(kind: str, orientation: int) -> None:
    seen = np.zeros((40, 40), np.uint8)
    seen[:20, :20], seen[:20, 20:], seen[20:, :20], seen[20:, 20:] = 0, 80, 160, 240
    row_is, column_is = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[orientation]  # fmt: skip
    stored = seen if row_is in ("top", "bottom") else seen.T
    stored = stored[::-1] if row_is in ("bottom", "right") else stored
    stored = stored[:, ::-1] if column_is in ("bottom", "right") else stored
    image = Image.fromarray(np.ascontiguousarray(stored))
    if kind == "png":
        content = png(stored[..., None], 8, GREY, chunk(b"eXIf", exif(orientation)))
    elif kind == "tiff":
        content = saved(image, kind, tiffinfo={274: orientation})
    else:
        content = saved(image, kind, exif=b"Exif\0\0" + exif(orientation), quality=95)
    pixels = decoded(content, mode="L")[0][..., 0].astype(int)
    corners = [pixels[4, 4], pixels[4, -5], pixels[-5, 4], pixels[-5, -5]]
    assert np.abs(np.array(corners) - (0, 80, 160, 240)).max() <= 4


def test_deep_pictures_are_turned_upright_too() -> None:
    samples = np.zeros((SIDE, SIDE, 3), int)
    samples[:16] = 65535
    upside_down = png(samples, 16, RGB, chunk(b"eXIf", exif(3)))
    assert decoded(upside_down)[0][:16].max() == 0
    wide = tiff(words(samples, "<u2"), [16] * 3, TIFF_RGB, more={274: (SHORT, [6])})
    assert decoded(wide)[0][:, :16].max() == 0  # what was above is at the right
    assert decoded(wide)[0][:, 16:].min() == 255


def test_damaged_exif_data_are_ignored() -> None:
    for broken in (b"", b"x", b"MM\0*\xff\xff\xff\xff", exif(9), exif(6)[:14]):
        content = png(halves((200, 100, 50)), 8, RGB, chunk(b"eXIf", broken))
        assert stripes(content, 1) == [(200, 100, 50)]


@pytest.mark.parametrize("divisor", [1, 2, 4, 8])
def test_a_jpeg_that_is_decoded_smaller_keeps_colour_and_orientation(divisor: int) -> None:
    side = 2 * SIDE * divisor
    samples = np.zeros((side, side, 3), np.uint8)
    samples[: side // 2] = (200, 100, 50)
    content = saved(
        Image.fromarray(samples), "jpeg", quality=100, exif=b"Exif\0\0" + exif(3),
        icc_profile=rgb_profile(ADOBE_RGB, 2.2),
    )  # fmt: skip
    pixels, _ = decoded(content)
    assert pixels[4, 16].max() <= 3
    assert near([tuple(pixels[-4, 16])], [in_srgb((200, 100, 50), ADOBE_RGB, 2.2)], 3)


# ---- more than one picture in a file


def test_the_first_frame_of_a_gif_may_be_smaller_than_its_screen() -> None:
    part = gif(SIDE, SIDE, np.full((SIDE, 16), 1), (0, 0))
    assert stripes(part, 2) == [(255, 0, 0), BEHIND]
    some = np.full((SIDE, 16), 2)
    some[:, 8:] = 0
    assert stripes(gif(SIDE, SIDE, some, (16, 0), transparent=0), 4) == [BEHIND, BEHIND, (0, 255, 0), BEHIND]
    whole = gif(SIDE, SIDE, halves(1, 3)[..., 0], (0, 0))
    assert stripes(whole, 2) == [(255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tiff", "mpo", "avif"])
def test_the_first_picture_counts(kind: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert near([tuple(decoded(content)[0][9, 9])], [(250, 0, 0)], 4)


@pytest.mark.parametrize(("kind", "tolerance"), [("webp", 1), ("avif", 4)])
def test_alpha_of_webp_and_avif(kind: str, tolerance: int) -> None:
    samples = np.broadcast_to(np.array((200, 100, 50, 128), np.uint8), (40, 40, 4))
    exact = {"lossless": True} if kind == "webp" else {"quality": 100}
    pixels, noticed = decoded(saved(Image.fromarray(samples), kind, **exact))
    assert near([tuple(pixels[9, 9])], [over((200, 100, 50), 128 / 255)], tolerance)
    assert noticed == [(TRANSPARENT, 0)]


# ---- what cannot be read is refused by name


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("png", {}),
        ("jpeg", {}),
        ("jpeg", {"progressive": True}),
        ("webp", {}),
        ("webp", {"lossless": True}),
        ("gif", {}),
        ("tiff", {}),
        ("tiff", {"compression": "tiff_lzw"}),
        ("bmp", {}),
        ("ppm", {}),
        ("avif", {}),
    ],
)
def test_truncated_files_are_damaged(kind: str, options: dict[str, object]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), kind, **options)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(DataError, match="damaged"):
            decoded(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture, .*convert it to PNG or JPEG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture, "),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"<!DOCTYPE html><p>404", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"", "empty"),
    ],
)
def test_other_kinds_of_files_are_called_by_their_names(content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decoded(content)
