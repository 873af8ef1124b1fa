"""How every plot looks: colours and names of the peers, fonts, axes. Layer: tools/bench_report."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

INK, MUTED, GRID, PAPER = "#1c2733", "#66727f", "#e3e7eb", "#ffffff"

# Ours stands out; the others are told apart by lightness too, for those who do not see the colours.
COLOURS = {
    "rapt": "#d9480f",
    "torch": "#3b6ea5",
    "zentorch": "#0b3c5d",
    "onnxruntime": "#7fb0d6",
    "openvino": "#5b8c85",
    "onednn": "#a3b8a0",
    "onednn_graph": "#c9c3b1",
    "reference": "#9aa4ae",
}
MARKERS = {"rapt": "o", "torch": "s", "zentorch": "P", "onnxruntime": "D", "openvino": "^", "onednn": "v", "onednn_graph": "X"}
NAMES = {
    "rapt": "rapt",
    "torch": "PyTorch",
    "zentorch": "zentorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "onednn": "oneDNN matmul",
    "onednn_graph": "oneDNN Graph",
    "reference": "reference",
}

plt.rcParams.update({
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",  # text stays text: small, searchable
    "svg.hashsalt": "rapt",  # the same plot gives the same file
})  # fmt: skip


def colour(peer: str) -> str:
    return COLOURS.get(peer, "#9aa4ae")


def name(peer: str) -> str:
    return NAMES.get(peer, peer)


def in_order(peers: set[str]) -> list[str]:
    return [peer for peer in COLOURS if peer in peers] + sorted(peers - COLOURS.keys())


def new(width: float, height: float) -> tuple[Any, Any]:
    return plt.subplots(figsize=(width, height), layout="constrained")


def logarithmic(axis: Any) -> None:
    """Plain numbers at the ticks: 0.5, 1, 10."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def legend_above(figure: Any, axes: Any, backwards: bool = False) -> None:
    """backwards: the entries were drawn from the last peer to the first."""
    step = -1 if backwards else 1
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[::step], names[::step], loc="outside upper left", ncols=8, fontsize=8, handlelength=1.0, handleheight=1.0,
                  columnspacing=1.3)  # fmt: skip


def to_svg(figure: Any) -> str:
    """The figure as an <svg> element that fills the width it is given."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = out.getvalue()
    return re.sub(r"\s+$", "", text[text.index("<svg") :], flags=re.MULTILINE) + "\n"
