"""`python -m bnviz reproduce`: measure again what the literature reports; write the results and their pictures."""

import sys
from pathlib import Path

from bnviz.data import load
from bnviz.records.reproduction import FIGURES_FOLDER, RESULTS_FILE, to_json, to_markdown


def run(out: Path, quick: bool = False, json_only: bool = False) -> int:
    """Measure, write into the folder `out`, and return the exit code: 0 done, 2 bad input."""
    if not out.is_dir():
        print(f"bnviz reproduce: --out: {out} is no folder", file=sys.stderr)
        return 2
    import torch

    from bnviz.figures.svg import svg_chart
    from bnviz.training.batches import Batches
    from bnviz.training.reproduction.claims import reproduce

    torch.set_num_threads(1)  # one thread is fastest for networks of this size, and the same bits everywhere
    say = (lambda _: None) if json_only else (lambda line: print(line, flush=True))
    results = reproduce(Batches(load()), quick=quick, say=say)
    (out / RESULTS_FILE.name).write_text(to_json(results), encoding="utf-8")
    (out / "RESULTS.md").write_text(to_markdown(results), encoding="utf-8")
    (out / FIGURES_FOLDER).mkdir(exist_ok=True)
    for name, chart in (picture for result in results.results for picture in result.pictures.items()):
        (out / FIGURES_FOLDER / name).write_text(svg_chart(chart), encoding="utf-8")
    if json_only:
        print(to_json(results))
    else:
        for claim in (claim for result in results.results for claim in result.claims):
            print(f"{claim.text} ({claim.source})\n    measured: {claim.measured}\n    {claim.verdict}")
    return 0
