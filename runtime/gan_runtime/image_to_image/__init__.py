"""Open files that give images for images: translators and upscalers."""
