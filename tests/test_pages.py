"""Pages: one look, and a policy that lets nothing in."""

from base64 import b64encode
from hashlib import sha256

import pytest

from browser import opened
from isthmus.pages import data_url, policy, style


def test_the_style_sheet_has_the_colours_of_labels_for_both_grounds():
    text = style()
    assert "--label-9: #92dadd" in text
    assert text.count("--label-2:") == 2
    assert "@import" not in text
    assert "url(" not in text


def test_a_policy_names_what_may_run_by_its_hash():
    answer = policy(("a{}",), ("run()", "walk()"))
    for text in ("a{}", "run()", "walk()"):
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in answer
    assert "unsafe" not in answer
    assert answer.startswith("default-src 'none'")


def test_a_picture_is_within_its_address():
    assert data_url(b"abc") == "data:image/png;base64,YWJj"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_has_its_look_and_runs_only_what_its_policy_names(chromium, tmp_path, scheme):
    ours, theirs, look = "document.title = 'ours'", "document.title = 'theirs'", style()
    head = f'<meta http-equiv="content-security-policy" content="{policy((look,), (ours,))}"><style>{look}</style>'
    body = f'<a href="#">word</a><script>{ours}</script><script>{theirs}</script><img src="https://example.org/a.png">'
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{head}{body}")
    with opened(chromium, (tmp_path / "page.html").as_uri(), color_scheme=scheme) as seen:
        assert seen.page.title() == "ours"
        assert len(seen.complaints) == 2
        assert all("Content Security Policy" in complaint for complaint in seen.complaints)
        assert (seen.pixels("body")[-1, -1].mean() < 60) == (scheme == "dark")
