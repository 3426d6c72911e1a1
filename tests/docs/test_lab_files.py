"""Lab files in the repository and on its pages: all are read, the schema fits them, and every key is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrator.labfile import json_schema, load_lab_file
from orchestrator.labfile_model import SECTIONS, LabFile
from orchestrator.stock import STOCK_DIRECTORY
from orchestrator.verify.sections import SECTIONS as VERIFY_SECTIONS
from tools.docs.tutorial import ROOT

EXAMPLES = sorted((ROOT / "examples").rglob("*.lab.yml"))
FILES = [*EXAMPLES, *sorted(STOCK_DIRECTORY.glob("*.lab.yml"))]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCHEMA = ROOT / "docs" / "lab-file.schema.json"
YAML = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def blocks() -> list[tuple[Path, str]]:
    """Every lab file on a page."""
    found = [(page, text) for page in PAGES for text in YAML.findall(page.read_text())]
    return [(page, text) for page, text in found if "apiVersion:" in text]


def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_there_are_some() -> None:
    assert len(EXAMPLES) >= 5
    assert len(blocks()) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_read_and_fits_the_schema(path: Path) -> None:
    text = path.read_text()
    assert load_lab_file(text, source=str(path)).nodes
    validator().validate(yaml.safe_load(text))


def test_the_lab_files_on_the_pages_are_read() -> None:
    for page, text in blocks():
        # Code of one's own is looked for beside the file: that of the pages is in this folder.
        assert load_lab_file(text, source=str(ROOT / "examples" / "own" / "gossip.lab.yml")).nodes, page


@pytest.mark.parametrize(
    ("page", "file"),
    [("docs/lab-files.md", "relay"), ("docs/faults.md", "stormy"), ("README.md", "two-rings")],
)
def test_the_lab_file_of_a_page_is_one_that_is_run(page: str, file: str) -> None:
    shown = [text for path, text in blocks() if path == ROOT / page]
    whole = (ROOT / "examples" / "labs" / f"{file}.lab.yml").read_text()
    assert any(without_comments(text).strip() == without_comments(whole).strip() for text in shown)


def test_the_schema_is_that_of_today() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema(), "lab schema > docs/lab-file.schema.json"
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "change",
    [
        {"nodse": {}},
        {"seed": -1},
        {"ready": {"when": "never"}},
        {"topology": {"kind": "lin", "n": 3}},
        {"defaults": {"mem": "much"}},
        {"nodes": {"a": {"overlay": "0b2"}}},
        {"traffic": [{"from": "a"}]},
        {"traffic": [{"from": "a", "to": "b", "mode": "smoke"}]},
        {"verify": [{"id": "x", "expect": {"delivery": {"from": "a", "to": "b", "min": "many"}}}]},
    ],
)
def test_the_schema_refuses_what_we_refuse(change: dict[str, Any]) -> None:
    file = {"apiVersion": "lab/v1", "name": "x", "topology": {"kind": "line", "n": 3}, **change}
    assert not validator().is_valid(file)


def test_every_key_is_explained() -> None:
    page = (ROOT / "docs" / "lab-files.md").read_text()
    sections = [LabFile, *(SECTIONS[key] for key in SECTIONS if key != "faults"), *VERIFY_SECTIONS.values()]
    keys = {field.alias or name for section in sections for name, field in section.model_fields.items()}
    missing = sorted(key for key in keys if not re.search(rf"\b{key}\b", page))
    assert not missing
