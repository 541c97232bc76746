"""Tests go by what a Docker engine has, and by themselves where there is none."""

from pathlib import Path

import pytest

from tests.support.containers import is_there, postgres_image


def test_where_no_engine_answers_there_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    assert not is_there("postgres:15")


def test_the_image_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDS_TEST_POSTGRES_IMAGE", raising=False)
    assert postgres_image() == "postgres:15"

    monkeypatch.setenv("XDS_TEST_POSTGRES_IMAGE", "mirror.example/postgres:17")
    assert postgres_image() == "mirror.example/postgres:17"
