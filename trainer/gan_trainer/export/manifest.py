"""Write manifests; `gan_runtime.manifest` reads them."""

import base64
import json
from dataclasses import asdict, fields
from typing import Any

from gan_runtime.manifest import FORMAT_VERSION, Fingerprint, Manifest, plain_fields


def to_json(manifest: Manifest) -> str:
    """The text of `manifest` for the metadata of a model."""
    document: dict[str, Any] = {"format_version": FORMAT_VERSION, "name": manifest.name, "task": manifest.task}
    document |= {"inputs": {}, "output": {}, "training": manifest.training, "quality": manifest.quality}
    values = {entry.name: getattr(manifest, entry.name) for entry in plain_fields(type(manifest))}
    document |= {key: value for key, value in values.items() if value}
    for entry in fields(manifest):
        value = getattr(manifest, entry.name)
        if not entry.metadata or value is None:
            continue
        section, _, key = entry.metadata["path"].partition(".")
        content = asdict(value)
        if isinstance(value, Fingerprint):
            if value.tolerance == Fingerprint.tolerance:
                del content["tolerance"]
            content["pixels"] = base64.b64encode(value.pixels).decode()
        document.setdefault(section, {}).update({key: content} if key else content)
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
