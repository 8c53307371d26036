import pytest

from cleanaudio.impact.words import plain, word_errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO NAMES, please, said Holmes.", "no names please said holmes"),
        ("“Don’t—go!” O'Hara's 'quoted' dogs'", "don't go o'hara's quoted dogs"),
        ("twenty-one  under_score\n3.5", "twenty one under score 3 5"),
        ("ÉCOLE Straße", "école straße"),
        (" … ?! ", ""),
        ("“हिन्दी में!”", "हिन्दी में"),  # vowel signs and the virama are marks
        ("cafe\u0301s, co\u00adoperate; क्\u200dष", "cafés cooperate क्ष"),
        ("❤\ufe0f love\u200bbirds ´", "love birds"),
    ],
)
def test_only_the_words_are_left(text, expected):
    assert plain(text) == expected
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("the cat sat", "The cat sat!", (0, 0, 0)),
        ("the cat sat", "the hat sat", (1, 0, 0)),
        ("the cat sat", "the sat", (0, 1, 0)),
        ("the cat sat", "oh the cat sat down", (0, 0, 2)),
        ("the cat sat", "", (0, 3, 0)),
    ],
)
def test_errors_are_those_of_the_best_alignment(said, heard, errors):
    found = word_errors(said, heard)
    assert (found.substitutions, found.deletions, found.insertions) == errors
    assert found.words == 3 and found.rate == pytest.approx(sum(errors) / 3)
