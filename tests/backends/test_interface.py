import pytest

from cleanaudio.backends.interface import Option
from cleanaudio.errors import RecipeError

ALPHA = Option("alpha", 2.0, "over-subtraction", low=1, high=10)
TAPS = Option("taps", 5, "taps", low=1, high=40)
PRIOR = Option("prior", "ml", "prior", choices=("ml", "decision-directed"))
SWITCH = Option("switch", True, "on or off")


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        (ALPHA, "3", 3.0),
        (ALPHA, 3, 3.0),
        (TAPS, "7", 7),
        (TAPS, "7.0", 7),
        (PRIOR, "ml", "ml"),
        (SWITCH, "off", False),
        (SWITCH, "yes", True),
        (SWITCH, False, False),
    ],
)
def test_values_become_the_options_type(option, given, value):
    parsed = option.parse(given)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("option", "given"),
    [
        (ALPHA, "x"), (ALPHA, "nan"), (ALPHA, "0.5"), (ALPHA, "inf"), (ALPHA, True), (ALPHA, None), (TAPS, []),
        (TAPS, "1.5"), (TAPS, "inf"), (TAPS, "0"), (TAPS, "nan"),
        (PRIOR, "ML"), (SWITCH, "maybe"), (SWITCH, 2),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_by_name(option, given):
    with pytest.raises(RecipeError, match=option.name):
        option.parse(given)
