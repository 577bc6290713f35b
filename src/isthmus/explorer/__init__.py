"""The explorer: a page that shows a model's codes, decodes what is pointed at, and encodes what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.errors import require

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from isthmus.estimator import BaseAutoencoder

EXTRA = "explorer"


def explore(
    model: BaseAutoencoder,
    X: Any,
    y: ArrayLike | None = None,
    *,
    n_rows: int = 100_000,
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool = False,
) -> None:
    """Serve a page to explore a model in, print its address, and answer until Ctrl-C.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n, ...)
        Rows of any kind that ``transform`` takes, in the shape that was fitted.
    y : array-like of shape (n,), default=None
        Labels: up to 20 distinct values are classes, more are numbers.
    n_rows : int, default=100_000
        The most rows that are shown. Of more, and of rows that take more than 256 MB or whose codes take more than
        64 MB, some are drawn without replacement, always the same ones.
    host : str, default="127.0.0.1"
        Where to listen; another than the default lets other machines in.
    port : int, default=0
        The port; 0 is a free one.
    browser : bool, default=False
        Whether to open the page in the browser.

    Raises
    ------
    DataError
        If X has another shape than the rows that were fitted, or ``y`` is not one label for each row.
    OSError
        If the host is none of this machine, or the port is taken.
    MissingExtraError
        If starlette or uvicorn is not installed: ``pip install 'isthmus[explorer]'``.
    """
    require("starlette", EXTRA)
    require("uvicorn", EXTRA)
    from isthmus.explorer.atlas import atlas_of
    from isthmus.explorer.server import serve
    from isthmus.ports import address_of, listening

    with listening(host, port) as taken:
        atlas = atlas_of(model, X, y, n_rows=n_rows)
        print(f"the explorer is at {address_of(taken)} (Ctrl-C ends it)", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(address_of(taken))
        serve(atlas, taken, host)
