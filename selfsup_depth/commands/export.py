"""`selfsup-depth export`: a trained network for other programs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser

FORMATS = ("onnx", "pt2", "safetensors", "monodepth2")


def run(arguments: list[str]) -> None:
    """Export a checkpoint; nothing is fetched or sent.

    Raises:
        ConfigError: an argument is wrong, or the format cannot hold the network.
        CheckpointError: the checkpoint cannot be used.
        NumericError: the exported graph says something else than the network.
        StorageError: the output cannot be written; said before any work where it can be foreseen.
    """
    given = make_parser().parse_args(arguments)
    make_folder(given.output.absolute().parent, "--output")
    # Seconds, and not needed to refuse arguments.
    from selfsup_depth.export.exporting import FORMATS as EXPORTERS
    from selfsup_depth.export.exporting import check_output, write_export
    from selfsup_depth.export.metadata import metadata_of
    from selfsup_depth.training.checkpoint import load_checkpoint

    check_output(given.output, given.format)
    loaded = load_checkpoint(given.checkpoint, given.trust)
    metadata = metadata_of(loaded, given.licence)
    exported = EXPORTERS[given.format](loaded, metadata)
    write_export(exported, given.output)
    for line in exported.notes:
        print(line)
    print(f"scale: {metadata.scale}, images {metadata.width}x{metadata.height}, licence {metadata.licence}")
    print(f"{given.format} written, in {given.output}")


def make_parser() -> CommandParser:
    """The options of this command."""
    parser = CommandParser(
        prog="selfsup-depth export",
        description="Write a trained network for other programs.\n\n"
        "  onnx         one graph, image to depth and inverse depth, for onnxruntime and others\n"
        "  pt2          the same as torch.export's program, for torch alone\n"
        "  safetensors  a folder in the layout of the Hugging Face hub; load reads it back\n"
        "  monodepth2   a folder with the tensor names of Monodepth2; load reads it back\n",
    )
    add = parser.add_argument
    add(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="RUN_OR_CKPT",
        help="folder of a run, a .ckpt file, or a folder of weights",
    )
    add("--format", choices=FORMATS, required=True, help="what to write")
    add("--output", type=Path, required=True, metavar="PATH", help="file (onnx, pt2) or new folder")
    add(
        "--licence",
        type=one_line,
        default="unstated",
        metavar="NAME",
        help="of the weights, noted in the export",
    )
    add("--trust", action="store_true", help="import classes from outside the package, which runs their code")
    return parser


def one_line(text: str) -> str:
    """A text for a header.

    Raises:
        ArgumentTypeError: it has line breaks or is none.
    """
    if not text.strip() or not text.isprintable():
        raise ArgumentTypeError("give a name such as MIT in one line")
    return text
