"""An index of pictures is made: listed, embedded shard by shard, put in its place."""
