"""Batches of images, augmentation, and the conversion between pixels and floats."""
