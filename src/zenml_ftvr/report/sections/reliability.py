"""Whether probabilities mean what they say."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Caption, Details, Paragraph, Table
from zenml_ftvr.report.charts import ReliabilityPoint, drawn, reliability_chart
from zenml_ftvr.values import Evaluation, ProbabilityCheck, Reliability

__all__ = ["reliability"]


def reliability(evaluation: Evaluation) -> Blocks:
    """The chosen model's reliability diagram, and every model's error of calibration."""
    checked = [
        (w.approach_name(model.kind), model.probabilities)
        for model in evaluation.models
        if model.probabilities is not None
    ]
    if not checked:
        return ()
    name, check = checked[0]
    series = [(label, _points(one)) for label, one in _forms(check)]
    title = f"Confidence of {name} and the share of its answers that is right"
    return (
        Caption(
            f"On the dashed line, answers given with 80 % confidence are right 80 times in 100. "
            f"The picture is of {name}; marks are as large as their rows are many."
        ),
        Paragraph(check.binning, "small"),
        *drawn(lambda width: reliability_chart(title, series, width)),
        _errors(checked),
        Bullets((_temperature(check), check.bias)),
        Details("The numbers of the picture", (_bins(check),)),
    )


def _forms(check: ProbabilityCheck) -> list[tuple[str, Reliability]]:
    forms = [("as trained", check.as_trained)]
    if check.scaled is not None and check.temperature is not None:
        forms.append((f"divided by {check.temperature:.2f}", check.scaled))
    return forms


def _points(one: Reliability) -> list[ReliabilityPoint]:
    return [
        ReliabilityPoint(found.mean_confidence, found.share_right, found.n_rows)
        for found in one.bins
        if found.mean_confidence is not None and found.share_right is not None
    ]


def _errors(checked: list[tuple[str, ProbabilityCheck]]) -> Table:
    return Table(
        header=(
            "Model",
            "Calibration error (ECE)",
            "Of a perfect model",
            "Log loss",
            "Temperature",
            "ECE after it",
            "Log loss after it",
        ),
        rows=tuple(
            (
                name,
                w.number(check.as_trained.ece),
                w.number(check.as_trained.ece_if_calibrated),
                w.number(check.as_trained.log_loss),
                w.NOTHING if check.temperature is None else f"{check.temperature:.2f}",
                w.NOTHING if check.scaled is None else w.number(check.scaled.ece),
                w.NOTHING if check.scaled is None else w.number(check.scaled.log_loss),
            )
            for name, check in checked
        ),
        numeric=frozenset(range(1, 7)),
        chosen=0,
    )


def _temperature(check: ProbabilityCheck) -> str:
    if check.temperature is None:
        return "No temperature could be fitted."
    mind = "too sure of itself" if check.temperature > 1 else "not sure enough of itself"
    return (
        f"Fitted on {w.count(check.n_fitted)} validation rows, logits divided by "
        f"{check.temperature:.2f} give the likeliest probabilities: the model is {mind}. No answer "
        f"changes by it."
    )


def _bins(check: ProbabilityCheck) -> Table:
    return Table(
        header=("Probabilities", "Confidence", "Rows", "Mean confidence", "Share right"),
        rows=tuple(
            (
                label,
                f"{found.low:.2f} to {found.high:.2f}",
                w.count(found.n_rows),
                w.NOTHING if found.mean_confidence is None else w.number(found.mean_confidence),
                w.NOTHING if found.share_right is None else w.number(found.share_right),
            )
            for label, one in _forms(check)
            for found in one.bins
        ),
        numeric=frozenset({2, 3, 4}),
    )
