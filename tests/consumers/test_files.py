"""Reading files, folders, pipes and standard input, packed or not, to their end or as far as they can be read."""

import gzip
import hashlib
import io
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from timeline.consumers.files import Files
from timeline.errors import InputError
from timeline.model import Message

ONE, TWO, THREE = b'{"event_type": "a"}', b'{"event_type": "b"}', b'{"event_type": "c", "x": {}}'


def data(content: bytes) -> list[bytes]:
    return [message.data for message in Files(["-"], stdin=io.BytesIO(content))]


def pretty(*texts: bytes) -> list[bytes]:
    return [json.dumps(json.loads(text), indent=2).encode() for text in texts]


def until_broken(files: Files) -> tuple[list[Message], str]:
    """What is read before the error, and its sentence."""
    before = []
    with pytest.raises(InputError) as broken:  # noqa: PT012 - what came before is half of the answer
        for message in files:
            before.append(message)
    return before, str(broken.value)


# Gzip


def test_what_is_packed_is_told_by_its_content(tmp_path: Path) -> None:
    for number, content in enumerate([ONE + b"\n" + TWO, b"[" + ONE + b"," + TWO + b"]", b"\n".join(pretty(ONE, TWO))]):
        plain, packed = tmp_path / f"{number}.gz", tmp_path / f"{number}.jsonl"
        plain.write_bytes(content)
        packed.write_bytes(gzip.compress(content))
        assert [message.data for message in Files([packed])] == [message.data for message in Files([plain])]


@pytest.mark.parametrize("padding", [b"", b"\0" * 3])
def test_several_members_are_one_stream(padding: bytes) -> None:
    half = len(ONE) // 2
    assert data(padding.join(map(gzip.compress, [ONE[:half], b"", ONE[half:] + b"\n", TWO])) + padding) == [ONE, TWO]


def test_a_little_that_is_packed_into_much_less_is_read_in_pieces() -> None:
    assert data(gzip.compress(b"\n" * 50_000_000 + ONE)) == [ONE]


def numbered(count: int) -> list[bytes]:
    return [b'{"n": %d, "random": "%b"}' % (n, hashlib.sha256(b"%d" % n).hexdigest().encode()) for n in range(count)]


def test_of_a_cut_file_the_complete_lines_come_before_the_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    whole = numbered(20_000)
    packed = gzip.compress(b"\n".join(whole) + b"\n")
    path.write_bytes(packed[: len(packed) // 2])
    before, sentence = until_broken(Files([path]))
    read_before = [message.data for message in before]
    assert 9_000 < len(read_before) < 11_000
    assert read_before == whole[: len(read_before)]
    assert sentence.startswith(f"{path}:{len(read_before) + 1}: ")
    assert "too early" in sentence
    assert "is stored" in sentence


@pytest.mark.parametrize("kept", [2, 3, 10, 11, -1, -8])
@pytest.mark.parametrize(
    "content", [b"", ONE + b"\n", b"[" + ONE + b",1", b"\n".join(pretty(ONE, TWO)) + b"\n", b"\n\n"]
)
def test_a_cut_anywhere_is_told(content: bytes, kept: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(content)[:kept])
    _, sentence = until_broken(Files([path]))
    assert str(path) in sentence


def test_a_complete_first_line_comes_before_the_error_that_follows_it(tmp_path: Path) -> None:
    for content, complete in [
        (ONE + b"\n", [ONE]),
        (ONE + b"\n" + TWO[:5], [ONE]),
        (b"[" + ONE + b"," + TWO[:5], [ONE]),
        (b"\n".join(pretty(ONE, TWO)) + b'\n{\n "a', pretty(ONE, TWO)),
        (TWO[:5], []),
    ]:
        path = tmp_path / "cut.gz"
        path.write_bytes(gzip.compress(content)[:-8])
        before, _ = until_broken(Files([path]))
        assert [message.data for message in before] == complete


def test_what_comes_before_the_damage_comes_before_the_error(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gz"
    whole = numbered(20_000)
    packed = bytearray(gzip.compress(b"\n".join(whole[:10_000]) + b"\n"))
    end = len(packed)
    packed += b"\x1f\x8b and this is no second member" + b"\xff" * 1000
    path.write_bytes(packed)
    before, sentence = until_broken(Files([path]))
    assert [message.data for message in before] == whole[:10_000]
    assert f"{path}:10001: " in sentence
    assert "damaged" in sentence
    path.write_bytes(packed[: end // 2] + b"\xff" * 1000 + packed[end // 2 :])
    before, _ = until_broken(Files([path]))
    assert [message.data for message in before][:4_900] == whole[:4_900]


def test_a_wrong_checksum_is_told(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gz"
    packed = bytearray(gzip.compress(ONE + b"\n" + TWO + b"\n"))
    packed[-8] ^= 1
    path.write_bytes(packed)
    before, sentence = until_broken(Files([path]))
    assert [message.data for message in before] == [ONE, TWO]
    assert "damaged" in sentence


# Paths


def test_a_folder_is_its_files_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z", "a/b/c.gz", ".hidden", ".git/config", "a/.x", "a.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ONE)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "link").symlink_to(tmp_path / "b.jsonl")
    names = [message.origin.removeprefix(f"{tmp_path}/") for message in Files([tmp_path])]
    assert names == ["a.txt:1", "a/b/c.gz:1", "a/z:1", "b.jsonl:1", "link:1"]


def test_paths_are_read_in_the_order_given(tmp_path: Path) -> None:
    first, second = tmp_path / "2", tmp_path / "1"
    first.write_bytes(ONE)
    second.write_bytes(TWO)
    files = Files([str(first), "-", second], stdin=io.BytesIO(THREE))
    assert [message.data for message in files] == [ONE, THREE, TWO]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").write_bytes(ONE)
    with pytest.raises(InputError, match="no file is in this folder"):
        Files([tmp_path])


def test_a_path_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    stdin = io.BytesIO(ONE)
    with pytest.raises(InputError, match=r"missing\.jsonl: No such file or directory; nothing was read"):
        Files(["-", tmp_path / "missing.jsonl"], stdin=stdin)
    assert stdin.tell() == 0


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="neither a file nor a folder nor a pipe"):
        Files([path])


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="null byte"):
        Files(["a\0b"])


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is permitted to root")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.touch(mode=0o000)
    with pytest.raises(InputError, match="Permission denied"):
        Files([path])


def test_a_file_that_vanishes_is_told_where_its_turn_comes(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(ONE)
    second.write_bytes(TWO)
    files = Files([first, second])
    second.unlink()
    before, sentence = until_broken(files)
    assert [message.data for message in before] == [ONE]
    assert sentence.startswith(f"{second}: No such file")


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no file here fails to be read")
def test_an_error_in_reading_is_told_with_its_place() -> None:
    before, sentence = until_broken(Files(["/proc/self/mem"]))
    assert before == []
    assert sentence.startswith("/proc/self/mem:1: ")
    assert "Input/output error" in sentence


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    files = Files([pipe])
    writer = threading.Thread(target=pipe.write_bytes, args=(ONE + b"\n" + TWO,))
    writer.start()
    assert [message.origin for message in files] == [f"{pipe}:1", f"{pipe}:2"]
    writer.join()
    assert files.total_bytes is None


def test_a_message_comes_as_soon_as_its_line_is_there() -> None:
    out, into = os.pipe()
    with open(out, "rb") as stdin, open(into, "wb", buffering=0) as writer:
        messages = iter(Files(["-"], stdin=stdin))
        for line in (ONE, TWO):
            writer.write(line + b"\n")
            assert next(messages).data == line
        writer.close()
        assert list(messages) == []


def test_the_place_can_be_stored_whatever_the_bytes_of_the_path(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")
    with open(path, "wb") as file:
        file.write(ONE)
    assert [message.origin for message in Files([path])] == [f"{tmp_path}/\\xff.jsonl:1"]


# Progress


def progress(files: Files) -> Iterable[int]:
    for _ in files:
        yield files.bytes_read


def test_progress_counts_the_bytes_as_they_lie_in_the_files(tmp_path: Path) -> None:
    plain, packed = tmp_path / "1", tmp_path / "2"
    plain.write_bytes(b"\n".join(numbered(30_000)))
    packed.write_bytes(gzip.compress(b"\n".join(numbered(1000))))
    files = Files([plain, packed])
    assert files.bytes_read == 0
    assert files.total_bytes == plain.stat().st_size + packed.stat().st_size
    seen = list(progress(files))
    assert seen == sorted(seen)
    assert 0 < seen[0] < files.total_bytes
    assert files.bytes_read == files.total_bytes


def test_how_much_standard_input_holds_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(ONE)
    files = Files([tmp_path / "1", "-"], stdin=io.BytesIO(TWO))
    assert files.total_bytes is None
    assert list(progress(files)) == [len(ONE), len(ONE + TWO)]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(ONE + b"\n" + TWO)
    files = Files([tmp_path])
    assert list(files) == list(files)
    assert files.bytes_read == files.total_bytes
