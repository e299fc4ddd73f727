"""What is wrong with a network of the user's own: the rules of `table`, applied to a look at it."""

from bnviz.findings.own_network.layers import ON_LAYER, ON_NETWORK
from bnviz.findings.own_network.normalization import ON_USE
from bnviz.findings.own_network.seen import Seen, SeenNormalization, Whole
from bnviz.findings.own_network.statistics import ON_STATISTICS, losses_apart
from bnviz.findings.own_network.table import RULES
from bnviz.records.own_network import SEVERITIES, Finding, Look, Network


def findings(network: Network, look: Look) -> tuple[Finding, ...]:
    """Return what the rules find, the serious ones first, and else in the order of the rules and of the layers."""
    seen = [Seen(layer, told) for layer, told in zip(network.layers, look.layers, strict=True)]
    normalizations = [
        SeenNormalization(s.layer, s.look, s.layer.normalization, s.look.normalization)
        for s in seen
        if s.layer.normalization and s.look.normalization
    ]
    whole = Whole(network, look, seen, normalizations)
    found = [finding for rule in (*ON_NETWORK, losses_apart) for finding in rule(whole)]
    found += [finding for rule in ON_LAYER for each in seen for finding in rule(each)]
    found += [finding for rule in ON_STATISTICS for each in normalizations for finding in rule(each)]
    found += [finding for rule in ON_USE for each in normalizations for finding in rule(each, whole)]
    order = list(RULES)
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), order.index(f.rule))))
