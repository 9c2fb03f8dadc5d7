"""One policy for all requests to servers, and downloads of published files with it."""
