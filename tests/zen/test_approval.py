"""Nothing is trained before somebody says yes to what it is and what it costs."""

from __future__ import annotations

import threading
import time

import hand_made
import pytest
from zenml import pipeline, step
from zenml.client import Client
from zenml_ftvr.pipelines.approval import is_approved, question_of

DONE: list[str] = []


@step(enable_cache=False)
def train() -> None:
    """What costs money."""
    DONE.append("trained")


@pipeline(dynamic=True, enable_cache=False)
def asking() -> None:
    """Asks, as `recommend_and_train` does."""
    if is_approved(hand_made.recommendation(), "ask"):
        train()


def _answer(client: Client, yes: bool, asked: list[str]) -> None:
    """Answer the next question that is open, as somebody at another terminal would."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        for condition in client.list_run_wait_conditions(status="pending", hydrate=True).items:
            asked.append(str(condition.question))
            client.resolve_run_wait_condition(condition.id, result=yes)
            return
        time.sleep(0.2)


@pytest.mark.parametrize("yes", [True, False])
def test_training_waits_for_the_answer_and_goes_by_it(client: Client, yes: bool) -> None:
    DONE.clear()
    asked: list[str] = []
    assert client.zen_store  # made before two threads ask for it
    answering = threading.Thread(target=_answer, args=(client, yes, asked), daemon=True)
    answering.start()
    run = asking()
    answering.join(timeout=10)
    assert asked == [question_of(hand_made.recommendation())]
    assert run is not None
    assert client.get_pipeline_run(run.id).status == "completed"
    assert bool(DONE) is yes


def test_the_question_names_choice_time_and_price() -> None:
    question = question_of(hand_made.recommendation())
    assert question.startswith(hand_made.recommendation().verdict)
    assert "It takes about 36 s, $" in question
    assert question.endswith("Train it?")


def test_without_asking_all_is_approved() -> None:
    assert is_approved(hand_made.recommendation(), "none")
