"""What a network with batchnorm folded into its layers is worth, in plain sentences."""

from bnviz.experiment.wording import counted, significant, times
from bnviz.records.answers import Folded


def folding_findings(found: Folded) -> list[str]:
    """Return what a fold has kept, what it has gained, and where its answers would be others."""
    digits = f"{found.digits:,} test digits"
    agree = "All" if found.agree == found.digits else f"{found.agree:,}"
    sentences = [
        f"Folded after {counted(found.step, 'step')}: over {digits} its logits are at most "
        f"{significant(found.difference, 2)} from those of the network in eval mode, whose largest in size is "
        f"{significant(found.largest)}: sums are rounded in another order. {agree} digits get the same class.",
        "Measured on the worker just now, it is beside the same layers of PyTorch with batchnorm "
        + " and ".join(f"{times(ratio)} as fast on {_digits(size)}" for size, ratio in found.faster.items())
        + ".",
        f"It is not the network in training mode: there batches of {found.batch_size} have statistics of their own, "
        f"and logits are up to {significant(found.training)} away.",
    ]
    if found.moved is None:
        sentences.append("Eval mode goes by population statistics here, which no later batch moves.")
    else:
        sentences.append(
            f"It does not follow the network: {found.moved_batches} more batches in training mode move the running "
            f"statistics, with the same weights, and logits are up to {significant(found.moved)} away. Fold last."
        )
    return sentences


def _digits(size: int) -> str:
    return "one digit" if size == 1 else f"{size} at once"
