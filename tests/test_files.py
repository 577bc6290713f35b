"""Files are whole or not there."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import IsthmusError
from isthmus.files import OutputExistsError, replaced


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def write(path, text, *, overwrite=False, meanwhile=None):
    with replaced(path, overwrite=overwrite) as temporary:
        temporary.write_text(text)
        if meanwhile is not None:
            meanwhile()


def test_the_file_appears_whole_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "model.safetensors"
    with replaced(path, overwrite=False) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".safetensors"
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["model.safetensors"]


def test_a_name_may_be_text_and_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("plain", "text")
    assert names(tmp_path) == ["plain"]


@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["C"]), min_size=1, max_size=40))
def test_any_name_will_do(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    if name not in (".", ".."):
        write(folder / name, "text")
        assert names(folder) == [name]


def test_the_longest_legal_name_will_do(tmp_path):
    name = "n" * (255 - len(".safetensors")) + ".safetensors"
    write(tmp_path / name, "text")
    assert names(tmp_path) == [name]


def test_an_existing_file_is_kept_unless_asked(tmp_path):
    path = tmp_path / "model"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match="exists") as caught:
        write(path, "new")
    assert isinstance(caught.value, IsthmusError)
    assert isinstance(caught.value, FileExistsError)
    assert str(path) in str(caught.value)
    assert path.read_text() == "old"
    write(path, "new", overwrite=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["model"]


def test_a_file_that_came_while_the_block_ran_is_kept_too(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(OutputExistsError):
        write(path, "mine", meanwhile=lambda: path.write_text("theirs"))
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_block_that_fails_leaves_nothing_new(tmp_path, failure, overwrite):
    def fail():
        raise failure

    path = tmp_path / "model"
    if overwrite:
        path.write_text("old")
    before = names(tmp_path)
    with pytest.raises(failure):
        write(path, "half", overwrite=overwrite, meanwhile=fail)
    assert names(tmp_path) == before
    assert not overwrite or path.read_text() == "old"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing_new(tmp_path, monkeypatch, step):
    def fail(*arguments, **options):
        raise OSError("disk failed")

    path = tmp_path / "model"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk failed"):
        write(path, "new", overwrite=True)
    assert names(tmp_path) == ["model"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch, overwrite):
    named, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (named.append((tmp_path / "model").exists()), fsync(file)))
    write(tmp_path / "model", "text", overwrite=overwrite)
    assert named[0] is False


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write(tmp_path / "model", "text")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == mode


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="model"):
        write(tmp_path / "model", "text", overwrite=True)
    assert names(tmp_path) == ["model"]


def test_a_folder_that_is_missing_is_named_and_no_temporary_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing") as caught:
        write(tmp_path / "missing" / "model", "text")
    assert "/.model-" not in str(caught.value)
