# SPDX-License-Identifier: GPL-2.0-only
"""Every shape that people post is judged, and told so that a person can act on it."""

from __future__ import annotations

import re

import pytest

from tests.logs.corpus import POSTS, Post
from tests.logs.helpers import run_json, run_text


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_text(post: Post) -> None:
    code, text = run_text(post.log)
    assert code == 0, text
    flat = " ".join(text.split())
    assert [piece for piece in post.says if piece not in flat] == []
    assert [piece for piece in post.never if piece in flat] == []
    assert max(len(row) for row in text.splitlines()) <= 75
    assert text.isascii()


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_verdict_of_the_main_message(post: Post) -> None:
    messages = run_json(post.log)["messages"]
    verdicts = [message["verdict"] for message in messages]
    assert post.verdict in verdicts
    for message in messages:
        assert message["happened"] and message["advice"]


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_what_to_do_comes_before_any_table(post: Post) -> None:
    _, text = run_text(post.log)
    head = text.split("\n\n")[0]
    assert re.search(r"[a-z.:;)\]]$", head.strip())
    assert "---" not in head
    assert "Requests that print it" not in text


@pytest.mark.parametrize("name", ["a burst", "guest at the cap"])
def test_verbose_has_the_arithmetic(name: str) -> None:
    _, text = run_text(POSTS[name].log, "--verbose")
    assert "Driver as modelled" in text
    assert "The log tells" in text


def test_one_event_is_told_once() -> None:
    messages = run_json(POSTS["old message"].log)["messages"]
    (message,) = messages
    assert message["companions"] == ["out-of-space"]


def test_advice_never_goes_below_the_pool_that_is_there() -> None:
    for post in POSTS.values():
        for message in run_json(post.log)["messages"]:
            total = message["total"] or 0
            for line in message["advice"]:
                found = re.search(r"Boot with swiotlb=(\d+)", line)
                assert found is None or int(found[1]) > total
