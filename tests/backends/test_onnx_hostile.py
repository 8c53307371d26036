from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx_tiny as tiny
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.backends.interface import Setup
from cleanaudio.backends.onnx import ONNX
from cleanaudio.backends.session import Session, open_session
from cleanaudio.errors import CleanAudioError, ModelError, RecipeError
from cleanaudio.models import onnx_file


def resolve(model: str, **options):
    return ONNX.resolve(Setup(16000, 1), options, model)


def clean(model: str, signal: np.ndarray) -> np.ndarray:
    setup = Setup(16000, 1)
    processor = ONNX.open(setup, ONNX.resolve(setup, {}, model))
    return np.concatenate([processor.process(signal), processor.flush()], axis=1)


def test_without_a_model_the_remedy_says_how() -> None:
    with pytest.raises(RecipeError, match="needs a model") as caught:
        ONNX.resolve(Setup(16000, 1), {}, None)
    assert "--model" in caught.value.remedy


@pytest.mark.parametrize("name", ["missing.onnx", "missing.tar.gz", "a,b.onnx", "odd\0name.onnx", ""])
def test_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(CleanAudioError):
        resolve(str(tmp_path / name) if name else "")


def test_a_folder_and_a_pipe_are_no_models(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ModelError):
            onnx_file.read(path)


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(onnx_file.MAX_BYTES + 1)  # a hole, not two gigabytes
    with pytest.raises(ModelError, match=r"2\.0 GB is more than 2 GB") as caught:
        resolve(str(path))
    assert caught.value.path == str(path)


@pytest.mark.parametrize("keep", [0, 1, 10, 0.5, -1])
def test_a_truncated_file(keep: float, tmp_path: Path) -> None:
    whole = tiny.frames()
    cut = whole[: int(keep * len(whole)) if isinstance(keep, float) else keep]
    model = tiny.saved(tmp_path, cut)
    with pytest.raises(ModelError) as caught:
        resolve(model)
    assert caught.value.path == model


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError):
        Session(onnx_file.checked(data, "random"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_model_is_a_model_error_or_runs(data: st.DataObject) -> None:
    damaged = bytearray(tiny.waveform())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        session = Session(onnx_file.checked(bytes(damaged), "damaged"))
        session.run(None, {port.name: port.zeros() for port in session.inputs})
    except ModelError as error:
        assert error.path == "damaged"


def test_a_name_that_is_no_text_is_a_model_error() -> None:
    damaged = tiny.waveform().replace(b"\x0a\x01y", b"\x0a\x01\x80").replace(b"\x12\x01y", b"\x12\x01\x80")
    assert damaged != tiny.waveform()
    with pytest.raises(ModelError, match="are no text"):
        Session(onnx_file.checked(damaged, "damaged"))


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", ""])
def test_weights_in_other_files_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.float32(1).tobytes())
    with pytest.raises(ModelError, match="other files"):
        resolve(tiny.saved(tmp_path, tiny.external(location)))


def test_weights_in_other_files_are_found_inside_nodes_and_branches(tmp_path: Path) -> None:
    import onnx

    weight = onnx.load_from_string(tiny.external("x")).graph.initializer[0]
    inner = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=weight)], "inner", [], [])
    outer = onnx.helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner)
    with pytest.raises(ModelError, match="other files"):
        onnx_file.checked(tiny.model([outer], [], []), "nested")
    sparse = onnx.SparseTensorProto(values=weight)
    made = onnx.load_from_string(tiny.waveform())
    made.graph.sparse_initializer.append(sparse)
    with pytest.raises(ModelError, match="other files"):
        onnx_file.checked(made.SerializeToString(), "sparse")


def test_operators_that_need_foreign_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"foreign code: evil\.ops"):
        resolve(tiny.saved(tmp_path, tiny.custom()))


def test_an_endless_nesting_is_refused() -> None:
    graph = b""
    for _ in range(200):  # attribute g (6) of a node (1) of a graph, again and again
        for tag in (0x32, 0x2A, 0x0A):
            size, length = len(graph), bytearray()
            while True:
                length.append(size & 0x7F | (0x80 if size > 0x7F else 0))
                size >>= 7
                if not size:
                    break
            graph = bytes([tag]) + bytes(length) + graph
    with pytest.raises(ModelError, match="nested"):
        onnx_file.checked(b"\x3a" + bytes([len(graph) & 0x7F | 0x80, len(graph) >> 7]) + graph, "deep")


def test_another_graph_names_what_it_takes(tmp_path: Path) -> None:
    odd = tiny.model(
        [tiny.helper.make_node("Identity", ["image"], ["class"])],
        [tiny.tensor("image", (1, 3, 224, 224))],
        [tiny.tensor("class", (1, 3, 224, 224))],
    )
    model = tiny.saved(tmp_path, odd)
    with pytest.raises(ModelError, match=r"image\[1,3,224,224\], which is no contract") as caught:
        resolve(model)
    assert "stft-frames" in caught.value.remedy
    for contract in ("waveform", "stft-frames"):
        with pytest.raises(ModelError, match=f"not of the contract {contract}"):
            resolve(model, contract=contract)


def test_a_model_of_integers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tensor\(float\)"):
        resolve(tiny.saved(tmp_path, tiny.integers()))


def test_the_number_of_files_must_fit_the_contract(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.waveform())
    with pytest.raises(RecipeError, match="two files"):
        resolve(model, contract="dtln")
    with pytest.raises(RecipeError, match="one file"):
        resolve(f"{model},{model}", contract="waveform")
    with pytest.raises(ModelError, match="not a stage of a DTLN"):
        resolve(f"{model},{model}")


def test_the_stages_of_a_pair_must_fit(tmp_path: Path) -> None:
    first = tiny.saved(tmp_path, tiny.dtln_stage(257, 1.0, mask=True), "1.onnx")
    second = tiny.saved(tmp_path, tiny.dtln_stage(512, 1.0, mask=False), "2.onnx")
    assert resolve(f"{first},{second}").latency == 512
    with pytest.raises(ModelError, match="do not go with"):
        resolve(f"{second},{first}")


@pytest.mark.parametrize(
    "card",
    [{"rate": "fast"}, {"rate": "-1"}, {"hop": "1e3"}, {"contract": "telepathy"}, {"window": "kaiser"}, {"delay": "3"}],
)
def test_a_card_that_makes_no_sense(card: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        resolve(tiny.saved(tmp_path, tiny.frames(card=card)))


def test_a_stream_that_loses_samples_is_a_model_error(tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.streamed(short=True))
    with pytest.raises(ModelError, match="gives 7997 samples for 8000"):
        clean(model, np.zeros((1, 16000), np.float32))


def test_now_and_then_nan_becomes_silence(tmp_path: Path) -> None:
    signal = (0.1 * np.random.default_rng(0).standard_normal((1, 16000))).astype(np.float32)
    signal[:, 4000:8000] = 0
    out = clean(tiny.saved(tmp_path, tiny.sometimes_nan()), signal)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[:, :3000], signal[:, :3000], atol=1e-5)
    np.testing.assert_allclose(out[:, 9000:], signal[:, 9000:], atol=1e-5)


@pytest.mark.parametrize("frames", [1000, 100_000])
def test_nothing_but_nan_is_a_model_error(frames: int, tmp_path: Path) -> None:
    model = tiny.saved(tmp_path, tiny.sometimes_nan(always=True))
    with pytest.raises(ModelError, match="gives only NaN or infinity") as caught:
        clean(model, np.ones((1, frames), np.float32))
    assert caught.value.path == model


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    import onnxruntime

    model = onnx_file.read(tiny.saved(tmp_path, tiny.waveform()))
    with pytest.raises(RecipeError, match="no device"):
        open_session(model, device="abacus")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(RecipeError, match="CUDA") as caught:
            open_session(model, device="cuda")
        assert "onnxruntime-gpu" in caught.value.remedy


def test_cuda_comes_first_and_the_cpu_behind_it(tmp_path: Path, monkeypatch) -> None:
    import onnxruntime

    asked = []
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda data, options, providers: asked.extend(providers) or session(data, options, ["CPUExecutionProvider"]),
    )
    Session(onnx_file.read(tiny.saved(tmp_path, tiny.waveform())), device="cuda")
    assert asked == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_the_runtime_writes_nothing(tmp_path: Path, capfd) -> None:
    with pytest.raises(ModelError):
        broken = tiny.model([tiny.helper.make_node("Nothing", ["x"], ["y"])], [tiny.tensor("x", (1,))], [])
        Session(onnx_file.checked(broken, "broken"))
    assert capfd.readouterr() == ("", "")
