"""A file that is wrong as a whole, or cannot be read: one line that says what and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollout.compose.load import load
from rollout.errors import FileError
from tests.compose.project import Folder

WHOLE = {
    "empty": ("", "c.yml: is empty (write services: with one image)"),
    "only a comment": ("# nothing\n", "c.yml: is empty (write services: with one image)"),
    "a list": ("- a\n", "c.yml:1:1: must be a mapping"),
    "a text": ("hello\n", "c.yml:1:1: must be a mapping"),
    "services is a list": ("services: [a]\n", "c.yml:1:11: services: must be a mapping"),
    "no services": ("name: x\n", "c.yml: services: is empty: there is nothing to run"),
    "a service is a text": ("services: {a: x}\n", "c.yml:1:15: services.a: must be a mapping"),
    "a service is nothing": ("services: {a: }\n", "c.yml:1:15: services.a: must be a mapping"),
    "no image": (
        "services:\n  a:\n    tty: true\n",
        "c.yml:2:3: services.a: has neither an image nor a build (add image:)",
    ),
    "not an image": (
        "services: {a: {image: 'UP:'}}\n",
        (
            'c.yml:1:23: services.a.image: "UP:" is not an image reference '
            "(use for example registry:5000/name:tag)"
        ),
    ),
    "not YAML": (
        "services:\n  a: {image: x\n",
        "c.yml:3:1: is not YAML: did not find expected ',' or '}' while parsing a flow mapping",
    ),
    "a tab": (
        "services:\n\ta: x\n",
        (
            "c.yml:2:1: is not YAML: found character that cannot start any token "
            "while scanning for the next token"
        ),
    ),
    "the same key twice": (
        "services:\n  a:\n    image: x\n    image: y\n",
        'c.yml:4:5: mapping key "image" already defined at line 3',
    ),
    "a number as a key": (
        "services:\n  1: {image: x}\n",
        "c.yml:2:3: a key here is not text: write it in quotes",
    ),
    "no such anchor": ("services: *gone\n", 'c.yml:1:11: there is no anchor "gone"'),
    "an anchor in itself": (
        "services: &a {b: *a}\n",
        'c.yml:1:18: the anchor "a" contains itself',
    ),
    "an unknown tag": ("services: !foo {}\n", 'c.yml:1:11: has the unknown tag "!foo"'),
    "a merge of a text": (
        "services:\n  a:\n    <<: x\n",
        "c.yml:3:5: << needs a mapping, or a list of mappings",
    ),
    "a name with a slash": (
        "services: {'a/b': {image: x}}\n",
        "c.yml:1:12: services.a/b: a name has letters, digits and . _ - only",
    ),
    "a project name that is none": (
        "name: Ä!\nservices: {a: {image: x}}\n",
        (
            'c.yml:1:7: name: "" is not a project name (lower-case letters, digits, '
            "- and _, up to 63, a letter or digit first)"
        ),
    ),
    "a circle": (
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
        "c.yml:2:17: services.a.depends_on: goes in a circle: a → b → a",
    ),
    "include of what is not there": (
        "include: [b.yml]\nservices: {a: {image: x}}\n",
        'c.yml:1:11: include[0]: "b.yml" no such file',
    ),
    "include of itself": (
        "include: [c.yml]\nservices: {a: {image: x}}\n",
        "c.yml:1:11: include[0]: goes in a circle: c.yml → c.yml",
    ),
    "include without a path": (
        "include: [{env_file: a}]\nservices: {a: {image: x}}\n",
        "c.yml:1:11: include[0]: path is missing",
    ),
    "an external secret": (
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}\n",
        (
            "c.yml:2:25: secrets.s.external: there is no store of configs and secrets on a plain "
            "engine (use file:, environment: or content:)"
        ),
    ),
    "a config without content": (
        "services: {a: {image: x, configs: [s]}}\nconfigs: {s: {}}\n",
        "c.yml:2:11: configs.s: needs one of file, environment and content",
    ),
    "a secret of a missing file": (
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./gone}}\n",
        "c.yml:2:21: secrets.s.file: {folder}/gone no such file",
    ),
    "a secret of a device": (
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: /dev/zero}}\n",
        "c.yml:2:21: secrets.s.file: /dev/zero is not a regular file",
    ),
    "a secret of an unset variable": (
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: KEY}}\n",
        "c.yml:2:28: secrets.s.environment: the variable KEY is not set",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_wrong_is_refused_with_its_place(
    folder: Folder, text: str, wanted: str
) -> None:
    assert folder.errors(text) == [wanted.replace("{folder}", str(folder.path))]


def test_a_missing_file_is_named(folder: Folder) -> None:
    assert folder.errors(None, "gone.yml") == ["gone.yml: no such file"]


def test_a_folder_is_no_file(folder: Folder) -> None:
    assert folder.errors(None, ".") == [".: is a directory, not a file"]


def test_a_file_that_may_not_be_read(folder: Folder) -> None:
    folder.write(c_yml="services: {}").path.joinpath("c.yml").chmod(0)

    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        assert folder.errors(None) == ["c.yml: permission denied (check who may read it)"]
    finally:
        os.seteuid(before)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"a: 1\nb: \xff\n", "c.yml:2: is not UTF-8: save it in that encoding"),
        (b"a: 1\nb: \0\n", "c.yml:2: contains a NUL byte: this is not a text file"),
        (b'a: "\\0"\n', "c.yml:1:4: contains a NUL character"),
        (b"a: \x07\n", "c.yml: is not YAML: control characters are not allowed"),
    ],
    ids=["latin-1", "NUL byte", "NUL escape", "bell"],
)
def test_a_file_that_is_no_text(folder: Folder, content: bytes, wanted: str) -> None:
    folder.write(c_yml=content)

    assert folder.errors(None) == [wanted]


def test_a_pipe_without_a_writer_does_not_hang(folder: Folder) -> None:
    os.mkfifo(folder.path / "c.yml")

    assert folder.errors(None) == ["c.yml: is empty (write services: with one image)"]


def test_standard_input_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="standard input is not connected"):
        load(["-"], environ={}, cwd=tmp_path)
