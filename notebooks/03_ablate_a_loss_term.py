# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does this term help?
#
# The same training with a loss term and without it, seed by seed. Two short runs show how it is done; a
# difference means something from three seeds and a few hundred steps on.

# %%
import tempfile
from pathlib import Path

from IPython.display import HTML, Markdown, display
from PIL import Image

from selfsup_depth.cli import main

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# What there is to leave out, and what it is for:

# %%
assert main(["losses", "velocity"]) == 0

# %%
small = ["--data.height=64", "--data.width=192", "--trainer.max_steps=25", "--data.num_workers=0"]
drives = [f"--data.layout.options.{option}" for option in ("drives=3", "frames=8", "held_out_drives=1")]
places = [f"--data.root={folder / 'drive'}", f"--output={folder / 'terms'}"]
variants = ["--drop=velocity", "--seeds=0"]
assert main(["ablate", "--config=conf/demo.yaml", *variants, *places, *small, *drives]) == 0

# %% [markdown]
# The report: numbers beside their differences to the baseline, and what is not known yet.

# %%
display(Markdown((folder / "terms" / "report.md").read_text()))

# %% [markdown]
# Depth as each variant sees it, and the page that can be sent to others: `report.html`, one file with
# everything in it.

# %%
for picture in sorted((folder / "terms" / "strips").glob("*/predicted_[01].png")):
    print(picture.parent.name)
    display(Image.open(picture))

# %%
HTML((folder / "terms" / "report.html").read_text())
