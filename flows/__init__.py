"""One thin Prefect flow per user job, and the `hgld` command line."""
