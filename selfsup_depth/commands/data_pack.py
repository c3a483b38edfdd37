"""`selfsup-depth data pack`: resize the frames of a data set once, before it is trained on."""

from __future__ import annotations

from selfsup_depth.commands.data_check import configured
from selfsup_depth.commands.parser import CommandParser, split_dotted

PROGRAM = "selfsup-depth data pack"


def run(arguments: list[str]) -> None:
    """Pack what a run with these files and options would train on.

    Raises:
        SelfsupDepthError: an option is wrong, the data cannot be used, or the frames not written.
    """
    rest, flags = split_dotted(arguments)
    given = make_parser().parse_args(rest)
    # Frames are packed one by one: they fill no batch, and nobody asks how the camera moved.
    told = {"packed": "true", "batch_size": "1", "two_view_motion": "false"}
    data, _ = configured(given.config, [*flags, *((f"data.{key}", value) for key, value in told.items())])
    from selfsup_depth.data.parts import data_root

    data.prepare_data()
    data.setup("fit")
    folder = data.pack_folder(data_root(data.layout, data.root))
    frames = data.train_dataloader().dataset.packed
    print(f"{len(frames)} frames of {data.width}x{data.height}, {frames.num_bytes / 1e6:.0f} MB, in {folder}")
    print("train with the same files and options, and --data.packed=true")


def make_parser() -> CommandParser:
    """The options of `data pack`."""
    parser = CommandParser(
        prog=PROGRAM,
        description="Resize every frame once and keep it, so that no epoch decodes it again.",
        usage=f"{PROGRAM} --config FILE [--config FILE ...] --data.root DIR [--SECTION.OPTION VALUE ...]",
        epilog="Give the files and options that the run is given; the size is that of its images.",
    )
    told = "YAML file, or a name inside conf/; repeatable"
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help=told)
    return parser
