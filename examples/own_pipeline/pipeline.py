"""The steps in a pipeline of one's own: train two approaches, compare them, use the better one.

    zenml pipeline run pipeline.compare_two -c config.yaml

Run it in this folder. `keep_the_better` is an ordinary ZenML step: ours and yours mix freely.
"""

from typing import Annotated

from zenml import pipeline, step

from zenml_ftvr.data import Dataset
from zenml_ftvr.steps import (
    evaluate_model,
    finetune_head,
    load_data,
    predict,
    train_baseline,
)
from zenml_ftvr.values import DataSource, Evaluation, TrainedModel


@step
def keep_the_better(
    evaluation: Evaluation, head: TrainedModel, baseline: TrainedModel
) -> Annotated[str, "folder"]:
    """The head's folder where it is significantly better on the test rows, else the baseline's."""
    (difference,) = (one for one in evaluation.differences if one.metric == "accuracy")
    better = head if difference.low > 0 else baseline
    print(
        f"head minus baseline: {difference.mean:+.3f} "
        f"[{difference.low:+.3f}, {difference.high:+.3f}]: keeping the {better.kind}"
    )
    return better.path


@step
def count_rows(dataset: Dataset) -> Annotated[int, "rows"]:
    """A step of one's own may take our values, with their types."""
    return len(dataset.train) + len(dataset.validation) + len(dataset.test)


@pipeline
def compare_two(data: DataSource, unlabelled: str, answers: str = "answers.csv") -> None:
    """Two approaches on the same rows; the file `unlabelled` is answered by the head."""
    dataset = load_data(data)
    count_rows(dataset)
    baseline = train_baseline(dataset)
    head = finetune_head(dataset)
    evaluation = evaluate_model(dataset, head, baseline=baseline)
    keep_the_better(evaluation, head, baseline)
    predict(head, unlabelled, output_path=answers)
