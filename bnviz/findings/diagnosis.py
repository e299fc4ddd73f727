"""What is wrong with a network, as a table for a terminal, as HTML for a notebook, and as JSON."""

import json
import math
import textwrap
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby

from bnviz.experiment.wording import counted
from bnviz.records.own_network import Finding, Look, Network

APP = "http://localhost:8501"  # where `make app` serves it
FINDINGS_SHOWN = 3  # findings of one rule that are written out
WIDTH = 100


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The findings of `bnviz.diagnose`, with the network and the look that they follow from."""

    network: Network
    look: Look
    findings: tuple[Finding, ...]

    @property
    def is_serious(self) -> bool:
        """Whether something serious was found."""
        return any(finding.severity == "serious" for finding in self.findings)

    def to_json(self) -> str:
        """Return a JSON document: the network's name, what is not seen, and every finding with its numbers."""
        found = [asdict(f) | {"numbers": {k: _plain(v) for k, v in f.numbers.items()}} for f in self.findings]
        told = {"name": self.network.name, "model": self.network.model, "layers": len(self.network.layers)}
        return json.dumps(
            told | {"unseen": self.network.unseen, "findings": found}, ensure_ascii=False, indent=2, allow_nan=False
        )

    def __str__(self) -> str:
        """Write a table for a terminal."""
        lines = [self._title(), ""]
        for findings in self._rules():
            first = findings[0]
            lines.append(f"{first.severity.upper()}  {first.rule}")
            for finding in findings[:FINDINGS_SHOWN]:
                lines += textwrap.wrap(finding.text, WIDTH, initial_indent="  - ", subsequent_indent="    ")
            if len(findings) > FINDINGS_SHOWN:
                lines.append(f"  - and {counted(len(findings) - FINDINGS_SHOWN, 'more layer')}")
            for what, text in (("means", first.meaning), ("do", first.advice), ("threshold", _threshold(first))):
                lines += textwrap.wrap(f"{what}: {text}", WIDTH, initial_indent="    ", subsequent_indent="      ")
            lines.append(f"    see: {APP}{first.lab}")
            lines += [f"      ({first.instead})", ""] if first.instead else [""]
        return "\n".join([*lines, *self.network.unseen]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(f[0].severity)}</td><td>{escape(f[0].rule)}</td><td>"
            + "<br>".join(escape(finding.text) for finding in f[:FINDINGS_SHOWN])
            + (f"<br>and {counted(len(f) - FINDINGS_SHOWN, 'more layer')}" if len(f) > FINDINGS_SHOWN else "")
            + f"</td><td>{escape(f[0].meaning)}</td><td>{escape(f[0].advice)}</td>"
            f'<td><a href="{escape(APP + f[0].lab)}">in the lab</a>{_instead(f[0])}</td></tr>'
            for f in self._rules()
        ]
        head = "".join(f"<th>{name}</th>" for name in ("severity", "rule", "found", "it means", "what to do", "see"))
        unseen = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.network.unseen)
        table = f"<table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""
        return f"<p>{escape(self._title())}</p>{table}{unseen}"

    def _title(self) -> str:
        seen = f"{self.network.name}: {counted(len(self.network.layers), 'layer')}, "
        count = len(self._rules())
        return seen + (f"{counted(count, 'rule')} found something." if count else "nothing found.")

    def _rules(self) -> list[list[Finding]]:
        """The findings by rule and severity, as they stand in order."""
        return [list(group) for _, group in groupby(self.findings, key=lambda f: (f.severity, f.rule))]


def _threshold(finding: Finding) -> str:
    return f"{finding.threshold} ({finding.source})"


def _instead(finding: Finding) -> str:
    return f" ({escape(finding.instead)})" if finding.instead else ""


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
