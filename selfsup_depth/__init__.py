"""Depth from rectified stereo pairs and video, learned without measured depth."""

__version__ = "0.1.0"
