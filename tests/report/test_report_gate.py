"""The quality gate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.errors import RecipeError
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.report.gate import Criterion, evaluate, parse
from cleanaudio.report.quality import quality

GOOD = {
    "snr_delta": 5.0,
    "pesq_wb_delta": 0.8,
    "stoi_delta": 0.15,
    "artifacts": 0.1,
    "clipping_ratio": 0.0,
}


def test_criteria_are_read():
    gate = parse("dnsmos_ovrl>=2.8, clipping_ratio<0.001,rtf < 1 ,true_peak<= -1.5,speech_level_change>-6")
    assert gate.criteria == (
        Criterion("dnsmos_ovrl", ">=", 2.8),
        Criterion("clipping_ratio", "<", 0.001),
        Criterion("rtf", "<", 1.0),
        Criterion("true_peak", "<=", -1.5),
        Criterion("speech_level_change", ">", -6.0),
    )
    assert [str(c) for c in gate.criteria][:2] == ["dnsmos_ovrl>=2.8", "clipping_ratio<0.001"]
    assert gate.keys == ("dnsmos_ovrl", "clipping_ratio", "true_peak", "speech_level_change")
    assert not gate.needs_reference and parse("reference").needs_reference and not parse("blind").needs_reference


@pytest.mark.parametrize("limit", ["2.8", "-23", "1e+06", "inf", "-23.123456789", "0.1234567"])
def test_a_criterion_is_written_with_the_number_that_it_compares_with(limit):
    (criterion,) = parse(f"loudness<{limit}").criteria
    assert str(criterion) == f"loudness<{limit}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ovrl>=2.8", "no metric"),
        ("dnsmos_ovrl=>2.8", "unknown operator '=>'"),
        ("dnsmos_ovrl==2.8", "unknown operator '=='"),
        ("dnsmos_ovrl", "not a criterion"),
        ("dnsmos_ovrl>=good", "not a criterion"),
        ("dnsmos_ovrl>=2.8.1", "not a number"),
        ("dnsmos>=2.8", "several numbers"),
        ("  ", "empty gate"),
        (",", "empty gate"),
    ],
)
def test_what_makes_no_sense_is_refused(text, says):
    with pytest.raises(RecipeError, match=says):
        parse(text)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('missing = "ignore"\ncriteria = ["dnsmos_ovrl >= 2.8", "true_peak < -1"]\n')
    gate = parse(str(path))
    assert gate.missing == "ignore" and len(gate.criteria) == 2
    assert parse(str(path), missing="fail").missing == "fail"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("criteria = 3", "list of texts"),
        ("criteria = []", "list of texts"),
        ('criteria = ["a>1"]\nmising = "fail"', "unknown key 'mising'"),
        ('criteria = ["rtf<1"]\nmissing = "maybe"', "missing is 'maybe'"),
        ("not toml", "not TOML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, says):
    path = tmp_path / "gate.toml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=says) as caught:
        parse(str(path))
    assert caught.value.path == str(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        parse(str(tmp_path / "none.toml"))


def test_the_reference_gate_is_the_documented_one():
    result = evaluate(parse("reference"), GOOD)
    assert result.passed and len(result.verdicts) == 5
    for key, bad in [
        ("snr_delta", 3.0),
        ("pesq_wb_delta", 0.5),
        ("stoi_delta", 0.1),
        ("artifacts", 0.3),
        ("clipping_ratio", 0.01),
    ]:
        failed = [v for v in evaluate(parse("reference"), {**GOOD, key: bad}).verdicts if not v.passed]
        assert [v.criterion.key for v in failed] == [key]
        assert str(failed[0]).startswith(f"FAIL {key}")


def test_the_blind_gate_wants_speech_kept():
    values = {
        "dnsmos_ovrl_delta": 0.0,
        "dnsmos_sig_delta": -0.2,
        "artifacts": 0.1,
        "clipping_ratio": 0.0,
        "speech_level_change": -1.0,
    }
    gate = parse("blind")
    assert evaluate(gate, values).passed
    for key, bad in [("dnsmos_ovrl_delta", -0.01), ("dnsmos_sig_delta", -0.21), ("speech_level_change", -9.0)]:
        assert not evaluate(gate, {**values, key: bad}).passed


def test_what_is_not_measurable_fails_unless_ignored():
    values = {**GOOD, "stoi_delta": NotMeasurable("reference is silent")}
    result = evaluate(parse("reference"), values)
    assert not result.passed and "not measurable: reference is silent" in str(result.verdicts[2])
    assert isinstance(result.quality, NotMeasurable) and "stoi_delta" in result.quality.reason
    assert evaluate(parse("reference", "ignore"), values).passed
    assert not evaluate(parse("rtf<1"), {}).passed
    assert not evaluate(parse("snr>1"), {"snr": math.nan}).passed
    assert evaluate(parse("snr>1"), {"snr": math.inf}).passed


def test_quality_is_rated_by_the_named_gates_and_where_its_parts_are_there_anyway():
    assert parse("noise_floor<-30").keys == ("noise_floor",)
    assert evaluate(parse("noise_floor<-30"), {"noise_floor": -40.0}).quality is None
    assert evaluate(parse("noise_floor<-30"), {"noise_floor": -40.0, **GOOD}).quality == quality(GOOD)
    assert {"dnsmos_ovrl_delta", "dnsmos_sig_delta", "artifacts"} < set(parse("blind").keys)
    assert isinstance(evaluate(parse("blind"), {}).quality, NotMeasurable)


def test_quality_with_references_is_the_formula():
    assert quality(GOOD) == pytest.approx(0.4 * 0.8 / 2 + 0.4 * 0.15 - 0.2 * 0.1)
    assert quality({"pesq_wb_delta": 9, "stoi_delta": 2, "artifacts": 0}) == pytest.approx(0.8)
    assert quality({"pesq_wb_delta": -1, "stoi_delta": -1, "artifacts": 1}) == 0


def test_quality_without_references():
    left_alone = {"dnsmos_ovrl_delta": 0.0, "dnsmos_sig_delta": 0.0, "artifacts": 0.0}
    assert quality(left_alone) == pytest.approx(0.4)
    assert quality({**left_alone, "dnsmos_ovrl_delta": 1.5}) == pytest.approx(1)
    assert quality({**left_alone, "dnsmos_sig_delta": -1.0, "artifacts": 1.0}) == 0
    assert isinstance(quality({}), NotMeasurable)


@given(*[st.floats(-20, 20)] * 2, st.floats(0, 1))
def test_quality_is_between_nought_and_one(first, second, artifacts):
    for names in (("pesq_wb_delta", "stoi_delta"), ("dnsmos_ovrl_delta", "dnsmos_sig_delta")):
        assert 0 <= quality({names[0]: first, names[1]: second, "artifacts": artifacts}) <= 1
