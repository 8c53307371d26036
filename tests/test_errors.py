import pickle

from cleanaudio.errors import BackendUnavailable, CleanAudioError, DamagedError, InputError


def test_an_error_tells_file_fault_and_remedy_on_one_line():
    error = InputError("is empty", path="a\nb.wav", remedy="record again")
    assert error.describe() == "a\\nb.wav: is empty (record again)"


def test_errors_survive_the_way_back_from_a_worker():
    input_error, damage = InputError("x", path="p", remedy="r"), DamagedError(1.0, 2.0, path="p")
    for error in (input_error, damage, BackendUnavailable("rnnoise", "rnnoise", "no library")):
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error) and isinstance(back, CleanAudioError)
        assert back.describe() == error.describe()


def test_a_missing_package_names_its_extra():
    assert "cleanaudio-cli[formats]" in BackendUnavailable("m4a", "formats").describe()
