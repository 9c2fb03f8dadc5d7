"""The engine of a build: stages, the workspace, data sets, files, settings, progress."""
