"""What holds a build together: stages, the workspace, data sets, files, settings, progress."""
