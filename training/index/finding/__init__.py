"""An index of pictures is searched: the nearest ones, with what a build knows of them."""
