"""The page: the same files for a server and for a folder."""

from __future__ import annotations

from pathlib import Path

from isthmus.pages import style

PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def index(backend: str) -> str:
    """Give the page itself.

    Parameters
    ----------
    backend : {"server", "onnx"}
        What decodes and encodes: a server, or ONNX Runtime in the browser. The latter page brings its own content
        security policy, as a file server sends none.
    """
    text = (PAGE / "index.html").read_text("utf-8")
    policy = f'<meta http-equiv="content-security-policy" content="{_POLICY}">\n  ' if backend == "onnx" else ""
    return text.replace("<!-- policy -->\n  ", policy).replace('data-backend="server"', f'data-backend="{backend}"')


def styles() -> str:
    """Give the look that all pages share."""
    return style()
