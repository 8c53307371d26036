import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.backends.spec import Term, parse, render, stages
from cleanaudio.errors import RecipeError


def test_a_name():
    assert parse("omlsa") == (Term("omlsa"),)


def test_an_argument_may_hold_almost_anything():
    assert parse("onnx:/a b/c*d+e.onnx,F:g.onnx") == (Term("onnx", "/a b/c*d+e.onnx,F:g.onnx"),)


def test_equal_shares_without_weights():
    assert [term.weight for term in parse("wiener+omlsa+rnnoise")] == pytest.approx([1 / 3] * 3)


def test_weights_and_files_in_one_sum():
    assert parse("0.6*deepfilternet + 0.4*onnx:m.onnx") == (
        Term("deepfilternet", None, 0.6),
        Term("onnx", "m.onnx", 0.4),
    )


def test_sums_in_series():
    assert parse("0.7*omlsa+0.3*none, fullband") == (
        Term("omlsa", None, 0.7),
        Term("none", None, 0.3),
        Term("fullband", stage=1),
    )
    assert parse("onnx:one.onnx,two.onnx,rnnoise") == (Term("onnx", "one.onnx,two.onnx"), Term("rnnoise", stage=1))


@pytest.mark.parametrize(
    "text",
    ["", "+", ",", "a,", ",a", "a,,b", "a,0.5*b+c", "a+", "0*a", "-1*a", "a b", "1..2*a", "0.5*a+b", "Über", "a:"],
)
def test_what_is_no_spec_is_refused(text):
    with pytest.raises(RecipeError):
        parse(text)


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
arguments = st.none() | st.from_regex(r"[A-Za-z0-9_/]{1,12}\.onnx", fullmatch=True)


sums = st.lists(st.builds(Term, names, arguments, st.sampled_from([1.0, 2.0, 3.0, 2e-5])), min_size=1, max_size=4)


@given(st.lists(sums, min_size=1, max_size=3))
def test_rendering_is_the_inverse_of_parsing(series):
    text = ",".join("+".join(f"{term.weight:f}*{term}" for term in terms) for terms in series)
    again = stages(parse(render(parse(text))))
    assert [[str(term) for term in terms] for terms in again] == [[str(term) for term in terms] for terms in series]
    for terms, others in zip(again, series, strict=True):
        total = sum(term.weight for term in others)
        assert [term.weight for term in terms] == pytest.approx([term.weight / total for term in others], rel=1e-4)
