"""Write GIF and WebP animations: a grid of images that change along a walk, in an endless loop."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.grids import Layout, arrange, to_pillow
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.picture import check_by_class, labelled
from gan_runtime.outputs.prefetch import prefetch
from gan_runtime.outputs.sampled import SampledImages
from gan_runtime.outputs.source import Source
from gan_runtime.outputs.walk import Walk, class_walk, walk
from gan_runtime.terminal.progress import progress

MAX_WALK_PIXELS = 100_000_000  # all frames together, which Pillow keeps in memory
MAX_SECONDS = 600  # a GIF cannot show one frame for longer than 655 seconds
GIF_FPS, WEBP_FPS = 50, 1000  # viewers show faster GIFs ten times slower; WebP counts in milliseconds
GIF_SIDE, WEBP_SIDE = 65535, 16383
PALETTE_FRAMES = 8


def write_gif(file: BinaryIO, source: Source, options: Options) -> None:
    """A walk as GIF: exact for grey images; colour images share one palette of 256 colours, undithered.

    Raises:
        InputError: a walk of this size or speed cannot be written, or has too few latents.
    """
    path, layout = _checked(source, options, GIF_FPS, GIF_SIDE)
    # Pillow counts in milliseconds and rounds them down to the format's hundredths.
    durations = [10 * duration for duration in frame_durations(path.frames, options.fps, 100)]
    palette = _palette(path, layout) if source.shape[3] == 3 else None

    def exact(picture: Any) -> Any:
        return picture if palette is None else picture.quantize(palette=palette, dither=0)

    with _pictures(path, layout, options.quiet) as pictures:
        _save(file, "gif", map(exact, pictures), durations)


def write_webp(file: BinaryIO, source: Source, options: Options) -> None:
    """A walk as lossless WebP. Raises InputError as `write_gif`."""
    from PIL import features  # noqa: PLC0415

    if not features.check("webp"):
        raise InputError(".webp: Pillow was built without WebP; choose .gif")
    path, layout = _checked(source, options, WEBP_FPS, WEBP_SIDE)
    with _pictures(path, layout, options.quiet) as pictures:
        _save(file, "webp", pictures, frame_durations(path.frames, options.fps, 1000), lossless=True)


def frame_durations(frames: int, fps: float, ticks: int) -> list[int]:
    """The duration of each frame in units of 1/ticks s; the error is below 1 per frame and at most 1/2 in total."""
    ends = [round(frame * ticks / fps) for frame in range(frames + 1)]
    return [end - begin for begin, end in pairwise(ends)]


def _checked(source: Source, options: Options, most_fps: int, most_side: int) -> tuple[Walk, Layout]:
    """The walk and the layout of its images. Raises InputError if the format cannot store it."""
    if not isinstance(source, SampledImages):
        raise InputError("an animation needs the latents of a generator, and these images have none; write .png")
    check_by_class(source, options)
    frames, fps = options.frames, options.fps
    if not 0 < fps <= most_fps:
        raise InputError(f"--fps {fps:g}: must be more than 0 and at most {most_fps} for this format")
    if frames / fps > MAX_SECONDS:
        way = "more a second" if frames / most_fps <= MAX_SECONDS else "fewer"
        raise InputError(f"--fps {fps:g}: {frames} frames take more than {MAX_SECONDS} seconds; ask for {way}")
    n = 1 if source.is_given and not options.class_walk else source.n
    layout = options.layout(source.classes)
    height, width = layout.size((n, *source.shape[1:]))
    if max(height, width) > most_side or frames * height * width > MAX_WALK_PIXELS:
        raise InputError(f"n {n}: {frames} frames of {width} x {height} pixels are too large; ask for fewer of either")
    if options.class_walk:
        return class_walk(source, frames), layout
    return walk(labelled(source, options), frames, options.space), layout


@contextmanager
def _pictures(path: Walk, layout: Layout, quiet: bool) -> Iterator[Iterator[Any]]:
    """The frames as Pillow images, generated while earlier ones are written."""
    frames = prefetch(path.images(range(path.frames)))
    with closing(frames), progress("sampling", path.frames, "frames", quiet=quiet) as advance:

        def counted() -> Iterator[Any]:
            for images in frames:
                advance(1)
                yield to_pillow(arrange(images, layout))

        yield counted()


def _palette(path: Walk, layout: Layout) -> Any:
    """A palette of 256 colours for all frames, computed from a few of them."""
    some = sorted({path.frames * i // PALETTE_FRAMES for i in range(PALETTE_FRAMES)})
    return to_pillow(np.concatenate([arrange(images, layout) for images in path.images(some)])).quantize(256)


def _save(file: BinaryIO, kind: str, pictures: Iterator[Any], durations: list[int], **settings: Any) -> None:
    """Write an endless loop. Pillow and libwebp merge equal consecutive frames into one of longer duration."""
    first = next(pictures)
    first.save(file, kind, save_all=True, append_images=pictures, duration=durations, loop=0, **settings)
