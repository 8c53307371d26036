"""The quality gate: criteria that a cleaned recording must meet.

A gate is ``reference``, ``blind``, a list of criteria such as ``dnsmos_ovrl>=2.8,clipping_ratio<0.001``, or a TOML
file::

    missing = "ignore"                  # or "fail", the default: what a criterion that is not measurable means
    criteria = ["dnsmos_ovrl >= 2.8", "true_peak < -1"]

Criteria compare a number of a metric (any key of ``cleanaudio.metrics``, ``_delta`` for the difference to the noisy
input), or ``rtf`` or ``latency_ms``, with a constant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cleanaudio.errors import BackendUnavailable, RecipeError
from cleanaudio.metrics import registry
from cleanaudio.metrics.interface import Measured, NotMeasurable
from cleanaudio.report.quality import PARTS, known, quality

Missing = Literal["fail", "ignore"]

OPERATORS = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    ">": lambda value, limit: value > limit,
}
RUN_FIGURES = ("rtf", "latency_ms")
"""Numbers of the run that can be criteria too: seconds of computing per second of audio, algorithmic delay."""
_CRITERION = re.compile(r"([A-Za-z_]\w*)(\W+?)([-+]?\d\S*|[-+]?\.\d\S*|[-+]?inf)")


@dataclass(frozen=True)
class Criterion:
    """One comparison.

    Parameters
    ----------
    key : str
    operator : {"<", "<=", ">", ">="}
    limit : float
    """

    key: str
    operator: str
    limit: float

    def __str__(self) -> str:
        short = f"{self.limit:g}"
        return f"{self.key}{self.operator}{short if float(short) == self.limit else repr(self.limit)}"

    def met(self, value: float) -> bool:
        """Return whether a number meets the criterion."""
        return OPERATORS[self.operator](value, self.limit)


@dataclass(frozen=True)
class Gate:
    """Criteria, and what becomes of those that cannot be measured.

    Parameters
    ----------
    name : str
        As the user wrote it.
    criteria : tuple of Criterion
    missing : {"fail", "ignore"}
    """

    name: str
    criteria: tuple[Criterion, ...]
    missing: Missing = "fail"

    @property
    def keys(self) -> tuple[str, ...]:
        """The numbers that must be measured, those of the run not; of the quality score only where it comes with it."""
        wanted = [criterion.key for criterion in self.criteria if criterion.key not in RUN_FIGURES]
        return tuple(dict.fromkeys([*wanted, *PARTS.get(self.name, ())]))

    @property
    def needs_reference(self) -> bool:
        """Whether a criterion compares with the clean signal."""
        keys = (criterion.key for criterion in self.criteria if criterion.key not in RUN_FIGURES)
        return any("reference" in registry.owner(key).needs for key in keys)

    def check(self, given: frozenset[str], of_runs: bool) -> None:
        """Make sure, before any file is judged by it, that its criteria can be measured, or what is missing is ignored.

        Parameters
        ----------
        given : frozenset of {"reference", "noisy"}
            What there is to compare with.
        of_runs : bool
            Whether the cleaning itself is watched, so that there are figures of the run.

        Raises
        ------
        RecipeError
            A criterion needs more than is given.
        BackendUnavailable
            One needs a package that is not there.
        """
        for criterion in self.criteria if self.missing == "fail" else ():
            if criterion.key in RUN_FIGURES:
                if not of_runs:
                    raise RecipeError(f"{criterion} is of a run that cleans", remedy="ask denoise --gate for it")
                continue
            metric = registry.owner(criterion.key)
            for what in sorted(metric.needs - given):
                raise RecipeError(f"{criterion} needs the {what} side", remedy=_SIDES[what])
            if not metric.installed:
                raise BackendUnavailable(f"the gate's {criterion.key}", metric.extra)


_SIDES = {
    "reference": "give --reference; without clean recordings use --gate blind",
    "noisy": "give --noisy",
}


@dataclass(frozen=True)
class Verdict:
    """What became of one criterion.

    Parameters
    ----------
    criterion : Criterion
    value : float or NotMeasurable
    passed : bool
    """

    criterion: Criterion
    value: Measured
    passed: bool

    def __str__(self) -> str:
        said = f"not measurable: {self.value.reason}" if isinstance(self.value, NotMeasurable) else f"{self.value:.4g}"
        return f"{'PASS' if self.passed else 'FAIL'} {self.criterion} ({said})"


@dataclass(frozen=True)
class Result:
    """What became of a recording.

    Parameters
    ----------
    verdicts : tuple of Verdict
    quality : float, NotMeasurable or None
        0 … 1, see :mod:`cleanaudio.report.quality`; None where neither the gate nor anybody else asked for its parts.
    """

    verdicts: tuple[Verdict, ...]
    quality: Measured | None

    @property
    def passed(self) -> bool:
        """Whether every criterion was met."""
        return all(verdict.passed for verdict in self.verdicts)


def _criteria(*texts: str) -> tuple[Criterion, ...]:
    return tuple(criterion(text) for text in texts)


def criterion(text: str) -> Criterion:
    """Return the criterion that a text such as ``dnsmos_ovrl >= 2.8`` means.

    Raises
    ------
    RecipeError
        It is none; the metric or the operator does not exist; the limit is not a number.
    """
    found = _CRITERION.fullmatch(text.strip())
    if found is None:
        raise RecipeError(f"{text!r} is not a criterion", remedy="write it like dnsmos_ovrl>=2.8")
    key, operator, limit = found[1], found[2].strip(), found[3]
    if operator not in OPERATORS:
        raise RecipeError(f"unknown operator {operator!r} in {text!r}", remedy=f"there are: {' '.join(OPERATORS)}")
    if key not in RUN_FIGURES:
        owner = registry.owner(key)
        if key not in owner.keys:
            raise RecipeError(f"{key!r} gives several numbers", remedy=f"choose one of: {', '.join(owner.keys)}")
    try:
        number = float(limit)
    except ValueError:
        raise RecipeError(f"{limit!r} in {text!r} is not a number") from None
    return Criterion(key, operator, number)


REFERENCE = (
    "snr_delta>3",
    "pesq_wb_delta>0.5",
    "stoi_delta>0.1",
    "artifacts<0.3",
    "clipping_ratio<0.01",
)
# On development pairs from -5 to 20 dB, judged without their references, 7 of 10 outputs of DeepFilterNet (the others
# mostly lost the voice with the noise) and 8 of 10 of RNNoise pass the blind gate; at most 1 of 10 of noisereduce's
# defaults and of spectral subtraction without a floor. In loud noise speech_level_change is sure to about 2 dB only,
# hence its generous limit.
BLIND = (
    "dnsmos_ovrl_delta>=0",
    "dnsmos_sig_delta>=-0.2",
    "artifacts<0.3",
    "clipping_ratio<0.01",
    "speech_level_change>-8",
)
NAMED = {"reference": REFERENCE, "blind": BLIND}


def parse(text: str, missing: Missing | None = None) -> Gate:
    """Return the gate that an argument of ``--gate`` means.

    Parameters
    ----------
    text : str
        ``reference``, ``blind``, criteria separated by commas, or the name of a TOML file.
    missing : {"fail", "ignore"}, optional
        Stands above what a file says.

    Raises
    ------
    RecipeError
        Unknown metric or operator, a file that is missing or holds something else.
    """
    text = text.strip()
    if text in NAMED:
        gate = Gate(text, _criteria(*NAMED[text]))
    elif text.lower().endswith(".toml"):
        gate = _from_file(Path(text))
    else:
        parts = [part for part in text.split(",") if part.strip()]
        if not parts:
            raise RecipeError("an empty gate", remedy="use reference, blind, criteria or a TOML file")
        gate = Gate(text, _criteria(*parts))
    return gate if missing is None else replace(gate, missing=missing)


def _from_file(path: Path) -> Gate:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"the gate cannot be read: {error.strerror}", path=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the gate is not TOML: {error}", path=path) from error
    unknown = sorted(set(content) - {"criteria", "missing"})
    if unknown:
        raise RecipeError(f"unknown key {unknown[0]!r}", path=path, remedy="there are: criteria, missing")
    texts, missing = content.get("criteria"), content.get("missing", "fail")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RecipeError("criteria must be a list of texts", path=path, remedy='criteria = ["dnsmos_ovrl >= 2.8"]')
    if missing not in ("fail", "ignore"):
        raise RecipeError(f"missing is {missing!r}", path=path, remedy='use "fail" or "ignore"')
    return Gate(str(path), _criteria(*texts), missing)


def evaluate(gate: Gate, values: Mapping[str, Measured]) -> Result:
    """Judge a recording by what was measured of it.

    Parameters
    ----------
    gate : Gate
    values : mapping
        At least the gate's keys; what is absent counts as not measurable.
    """
    verdicts = []
    for criterion in gate.criteria:
        value = known(values, criterion.key)
        passed = gate.missing == "ignore" if isinstance(value, NotMeasurable) else criterion.met(value)
        verdicts.append(Verdict(criterion, value, passed))
    rated = gate.name in NAMED or any(values.keys() >= set(parts) for parts in PARTS.values())
    return Result(tuple(verdicts), quality(values) if rated else None)
