"""A demonstration on made volumes: segmentation with a spatial prior and self-labelling.

After STIPPLE (Petit, Thome, Soler, IJCARS 2021), of which the idea is followed and the details are
ours: the network, the smoothing, the threshold of confidence, the rounds, and the volumes.
"""
