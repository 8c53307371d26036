"""What is counted ahead for the bar, and what must not be."""

import os

from cleanaudio.cli.progress import counter


def test_what_comes_through_a_pipe_is_not_read_for_the_count(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "list").write_text("a.wav\n")
    assert counter(("x.wav", f"@{tmp_path}/list"), lambda: "abc", tmp_path / "list")() == 3
    for inputs in (("-",), ("@-",), ("@-0",), (f"@{tmp_path}/pipe",), ("x.wav", "@/dev/stdin")):
        assert counter(inputs, lambda: "abc") is None
    assert counter(("x.wav",), lambda: "abc", tmp_path / "pipe") is None
