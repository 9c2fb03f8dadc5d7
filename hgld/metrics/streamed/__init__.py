"""The metrics of a whole index in one pass: ranked block by block, summed, put together."""
