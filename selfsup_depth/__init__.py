"""Depth from rectified stereo pairs and video, learned without measured depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfsup_depth.training.predicted_depth import Prediction
    from selfsup_depth.training.prediction import Predictor, load

__version__ = "0.1.0"
__all__ = ["Prediction", "Predictor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: torch takes seconds, and `selfsup-depth --help` needs none of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from selfsup_depth.requirements import refuse_unsafe_packages

    refuse_unsafe_packages()
    from selfsup_depth.training import prediction

    return getattr(prediction, name)
