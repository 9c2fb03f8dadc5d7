"""One thin Prefect flow a user job, and the `hgld` command line."""
