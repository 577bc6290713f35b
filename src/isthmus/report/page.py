"""The page of a report: what is measured, in words and curves."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from isthmus.metrics import mean_squared_error
from isthmus.pages import rendered, short
from isthmus.pictures import size_of
from isthmus.report.curves import Line, histogram, plot
from isthmus.report.drawing import Drawing, points_of
from isthmus.report.sample import Sample

_SHOWN = 10
Values = dict[str, Any]
_CONTENTS = (
    ("error", "Error"),
    ("examples", "Best to worst"),
    ("codes", "Map of codes"),
    ("coordinates", "What each number does"),
    ("health", "Health"),
    ("training", "Training"),
    ("model", "Model"),
    ("use", "Load it"),
)
_SETTINGS = (("Optimizer", "optimizer"), ("Rows in a batch", "batch_size"))
_BESIDE = (
    ("Mean squared error", "mean_squared_error", False),
    ("Variance explained", "explained_variance", True),
    ("Error of the median row", "median_row", False),
    ("Error of the worst row", "worst_row", False),
)


def page(sample: Sample, measures: Values, model_path: str) -> str:
    """Give the page.

    Parameters
    ----------
    sample : Sample
        The rows.
    measures : dict
        What `measures_of` found.
    model_path : str
        What the file of the model is called.
    """
    drawing = Drawing(sample)
    codes_map = drawing.map()
    size = measures["model"]["code_size"]
    return rendered(
        "report/report.html",
        styles=("report/report.css",),
        scripts=("report/report.js",),
        **measures,
        **_head(measures, drawing),
        **_errors(sample, measures, drawing),
        **_history(measures["training"]),
        training_facts=_training_facts(measures),
        **_codes(codes_map, sample, measures),
        **_use(model_path, measures),
        images=drawing.shape is not None,
        code_facts=_code_facts(measures),
        has_kl=measures["coordinates"][0]["kl"] is not None,
        ways=drawing.traversals(measures["coordinates"][:_SHOWN]),
        coordinate_words=_coordinate_words(size, drawing.shape is not None),
        contents=_CONTENTS,
        date=date.today().isoformat(),
    )


def _head(measures: Values, drawing: Drawing) -> Values:
    model, error, training = measures["model"], measures["error"], measures["training"]
    columns, size = model["columns"], model["code_size"]
    what = f"an image of {size_of(drawing.shape)} pixels" if drawing.shape else f"a row of {columns} columns"
    facts = [
        ("Code", f"{size:,}", f"number{_s(size)} for {columns:,}"),
        ("Variance explained", f"{100 * error['explained_variance']:.1f} %", ""),
        ("With PCA", f"{100 * error['beside_pca']['pca']['explained_variance']:.1f} %", "as many numbers"),
        (
            "Mean squared error",
            short(error["mean_squared_error"]),
            "of scaled columns" if drawing.sample.scales_columns else "",
        ),
        ("Weights", f"{model['weights']:,}", ""),
        ("Trained", f"{training['epochs']}", f"epoch{_s(training['epochs'])}, {training['seconds']:.3g} s"),
    ]
    lede = f"This autoencoder squeezes {what} into a code of {size:,} number{_s(size)} and rebuilds it from them."
    title = f"{model['class']} on {measures['data']['name']}"
    return {"title": title, "lede": lede, "facts": facts, "sampling_words": _sampling(measures)}


def _sampling(measures: Values) -> str:
    data = measures["data"]
    whole = data["rows"] == data["rows_measured"]
    words = (
        f"all {data['rows']:,} rows"
        if whole
        else f"{data['rows_measured']:,} of {data['rows']:,} rows, drawn at random"
    )
    words = f"Measured on {words}. PCA is fitted on four fifths of these, and compared on the other fifth."
    if neighbours := measures["code"].get("neighbours"):
        words += f" Measures of neighbours look at {neighbours['rows']:,} rows and search among all that are measured."
    return words


def _errors(sample: Sample, measures: Values, drawing: Drawing) -> Values:
    beside = measures["error"]["beside_pca"]
    ours, theirs = (beside[one]["mean_squared_error"] for one in ("model", "pca"))
    times = f"{max(theirs / ours, ours / theirs):,.3g}" if ours and theirs else "many"
    words = (
        f"The error is {times} times smaller than PCA's" if ours < theirs else f"PCA's error is {times} times smaller"
    )
    words += " with a code of the same size, on rows that PCA was not fitted on. "
    words += "Whether the model has seen them depends on what it was trained on."
    if sample.scales_columns:
        words += " Columns count by their own spread: errors are of scaled columns."
    pca = mean_squared_error(sample.compared[sample.unseen], sample.pca_rebuilt, per="row")
    examples = drawing.from_best_to_worst()
    for one in examples:
        one["place"] = _place(one["worse_than"])
    return {
        "error_words": words,
        "beside": beside,
        "beside_rows": _BESIDE,
        "pca_size": min(measures["model"]["code_size"], measures["model"]["columns"]),
        "error_plot": _error_plot(sample.errors[sample.unseen], pca),
        "examples": examples,
        "columns": drawing.columns(),
    }


def _error_plot(ours: NDArray, theirs: NDArray) -> Markup:
    both = np.concatenate([ours, theirs])
    bins = min(max(round(2 * len(ours) ** 0.5), 8), 40)
    edges = np.linspace(0, float(np.nanquantile(both, 0.99)) or 1.0, bins + 1)
    counts = [np.histogram(one, edges)[0] for one in (ours, theirs)]
    words = (
        f"Histograms of the mean squared errors of rows: the model's median is {np.nanmedian(ours):.3g}, "
        f"PCA's {np.nanmedian(theirs):.3g}"
    )
    return histogram(counts, edges, ("first", "second dashed"), "mean squared error of a row", words)


def _place(share: float) -> str:
    if share in (0, 1):
        return "worst" if share else "best"
    return "median" if abs(share - 0.5) < 0.01 else f"{100 * share:.{int(share > 0.99)}f} % are better"


def _history(training: Values) -> Values:
    history = training["history"]
    if not history:
        words = "It has no epochs: it was solved exactly, or trained elsewhere."
        return {"training_words": words, "history_plot": None, "history_key": []}
    words = f"{len(history)} epoch{_s(len(history))} in {training['seconds']:.3g} s"
    if training["held_out_rows"]:
        words += f", with {training['held_out_rows']:,} rows held out; "
        words += f"the weights are those of epoch {training['best_epoch']}"
    epochs = np.array([one["epoch"] for one in history])
    named = {"loss": ("training", "first"), "validation_loss": ("held-out", "second dashed")}
    named |= {"denoising_loss": ("held-out, corrupted", "third dashed")}
    lines = [
        Line(name, epochs, np.array([one[key] for one in history], float), kind)
        for key, (name, kind) in named.items()
        if history[-1][key] is not None
    ]
    said = "; ".join(f"{line.name} from {line.y[0]:.3g} to {line.y[-1]:.3g}" for line in lines)
    drawn = (
        plot(lines, "epoch", "loss per row", f"Losses of the epochs: {said}", whole=True) if len(history) > 1 else None
    )
    return {
        "training_words": f"{words}.",
        "history_plot": drawn,
        "history_key": [(line.name, line.kind) for line in lines],
    }


def _training_facts(measures: Values) -> list[tuple[str, str]]:
    training, parameters = measures["training"], measures["model"]["parameters"]
    made = training["provenance"]
    facts = [("Weights", f"{measures['model']['weights']:,}"), ("Rows learned from", f"{made['rows']:,}")]
    facts += [("Begun", made["date"]), ("On", f"{made['machine']}, {made['device']}")]
    if training["history"]:
        facts += [(name, str(parameters[key])) for name, key in _SETTINGS if key in parameters]
        facts += [("Seed", str(made["seed"])), ("Engine", training["history"][-1]["engine"])]
    return facts


def _codes(codes_map: Values, sample: Sample, measures: Values) -> Values:
    labelled = bool(codes_map["classes"]) or "values" in codes_map
    size = measures["model"]["code_size"]
    how = {1: "the code itself", 2: "the code itself"}.get(size, "the first two principal components of the codes")
    words = (
        f"Each point is one of {codes_map['count']:,} rows, at {how}{', coloured by its label' if labelled else ''}. "
    )
    words += "Rows that lie together have similar codes."
    label = f"Map of {codes_map['count']:,} rows by {how}"
    return {
        "map": codes_map,
        "map_words": words,
        "map_label": label,
        "labelled": labelled,
        "classes": _centres(codes_map, sample),
    }


def _centres(codes_map: Values, sample: Sample) -> list[Values]:
    """Say where the rows of each label lie."""
    if not codes_map["classes"] or sample.labels is None:
        return []
    labels = sample.labels.astype(str)
    points, _ = points_of(sample.codes)
    found = []
    for name in codes_map["classes"]:
        own = labels == name
        x, y = points[own].mean(axis=0)
        found.append(
            {"name": name, "rows": int(own.sum()), "x": x, "y": y, "error": float(np.nanmean(sample.errors[own]))}
        )
    return found


def _code_facts(measures: Values) -> list[tuple[str, str, str]]:
    code, size = measures["code"], measures["model"]["code_size"]
    dead = round(code["dead_fraction"] * size)
    facts = [("Numbers that never change", f"{dead:,}", f"of {size:,}")]
    if code["mean_active_units"] is not None:
        facts.append(("Not zero in a row", f"{code['mean_active_units']:.3g}", f"of {size:,}, on average"))
    if neighbours := code.get("neighbours"):
        facts += [
            ("Trustworthiness", f"{neighbours['trustworthiness']:.3f}", "1: no false neighbours"),
            ("Continuity", f"{neighbours['continuity']:.3f}", "1: no lost neighbours"),
            (
                "Neighbours kept",
                f"{100 * neighbours['neighbourhood_overlap']:.0f} %",
                f"of the {neighbours['n_neighbors']} nearest",
            ),
        ]
    if "knn_accuracy" in code:
        facts.append(("Label from neighbours", f"{100 * code['knn_accuracy']:.1f} %", "right"))
        facts.append(("Label by planes", f"{100 * code['linear_probe_accuracy']:.1f} %", "right"))
    return facts


def _coordinate_words(size: int, images: bool) -> str:
    words = "One number of the code moves from its 2nd to its 98th percentile while the others stay at their medians. "
    words += "" if images else "Shown are the columns that move most for their spread. "
    if size > _SHOWN:
        return words + f"The {_SHOWN} that matter most of {size:,}, the most important first."
    return words + ("The most important comes first." if size > 1 else "")


def _use(model_path: str, measures: Values) -> Values:
    name = measures["data"]["name"]
    python = (
        "import isthmus\n\n"
        f"model = isthmus.load({model_path!r})\n"
        f"codes = model.transform({name!r})  # or an array, a data frame, a path\n"
        "rows = model.inverse_transform(codes)"
    )
    shell = (
        f"pip install isthmus=={measures['versions']['isthmus']}\n"
        f"isthmus encode {model_path} {name} -o codes.npy\n"
        f"isthmus reconstruct {model_path} {name} -o rebuilt.npy"
    )
    return {"python_code": python, "shell_code": shell}


def _s(count: int) -> str:
    return "" if count == 1 else "s"
