"""Format numbers for people."""

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float) -> str:
    """The two largest units, for example 3 h 12 min."""
    left, parts = round(seconds), []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        parts.append(f"{count} {unit}")
    first = next((i for i, part in enumerate(parts) if not part.startswith("0 ")), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part == parts[first] or not part.startswith("0 "))


def after(images: float, seconds: float | None) -> str:
    """A point of a run, for example "after 64,000 images, 3 h 12 min"."""
    return f"after {images:,} images" + ("" if seconds is None else f", {duration(seconds)}")


def figure(value: float | None) -> str:
    """Three significant digits; integers are not rounded."""
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.5f}" if 0 < abs(value) < 0.001 else f"{value:#.3g}"


def short(count: float) -> str:
    """A number of images in a few characters, for example 64,000 or 1.8 M."""
    return f"{count:,}" if count < 1_000_000 else f"{count / 1e6:.3g} M"
