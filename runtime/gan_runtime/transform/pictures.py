"""Pictures from anywhere to a file, a folder or stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_runtime.outputs.share import WHOLE, Share
from gan_runtime.transform.inputs import are_many, open_inputs
from gan_runtime.transform.places import Place
from gan_runtime.transform.report import Report
from gan_runtime.transform.single import transform_file
from gan_runtime.transform.transform import Transform
from gan_runtime.transform.truths import open_truths

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster


def transform_pictures(
    place: Place,
    sources: Sequence[str],
    transform: Transform,
    *,
    truth: str | None = None,
    recursive: bool = True,
    share: Share = WHOLE,
    cluster: "Cluster | None" = None,
    quiet: bool = False,
) -> Report:
    """Write the outputs of the pictures in `sources`.

    Args:
        place: of the output, made by `place_of`.
        sources: files, folders, .zip archives, or "-" for stdin.
        transform: what is done with each picture.
        truth: the picture that the output should be, or a folder or .zip of such pictures, to be shown beside outputs.
        recursive: also the pictures in sub-folders of folders and archives.
        share: the part of the pictures that is written, if the output is a folder.
        cluster: where they are computed and written, if the output is a folder; in this process if None.
        quiet: no progress and no messages on stderr.

    Raises:
        DataError: a folder or archive cannot be read, or the only picture cannot be used.
        InputError: there is nothing to do, or the only picture does not fit the model.
        OutputError: the output cannot be written.
        DeviceError: the device fails.
    """
    follow_links = transform.settings.reading.follow_links
    many = are_many(sources)
    with (
        open_inputs(sources, follow_links=follow_links, recursive=recursive) as inputs,
        open_truths(truth, inputs, many=many, follow_links=follow_links) as truths,
    ):
        if place.is_folder:
            from gan_runtime.transform.folder import transform_folder  # noqa: PLC0415  (one picture does without)

            return transform_folder(place, inputs, truths, transform, share, cluster, quiet=quiet)
        return transform_file(place, inputs.files[0], truths[0], transform, quiet=quiet)
