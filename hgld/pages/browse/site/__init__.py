"""The data set as a site of files, which any web server serves."""
