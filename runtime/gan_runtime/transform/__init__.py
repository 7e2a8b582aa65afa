"""Run pictures through a model that gives pictures: files, folders, archives, animations, streams."""
