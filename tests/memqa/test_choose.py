import numpy as np

from memqa.choose import by_likeness, by_probability
from tests.fakes import FakeScoringModel, FakeTextEncoder


def test_the_option_that_says_the_same_is_nearest() -> None:
    values = by_likeness(FakeTextEncoder(), ["a green lamp", "the old ship"], "It was a ship.")
    assert values.argmax() == 1


def test_what_a_model_would_say_anyway_is_taken_off() -> None:
    def likes(prompt: str, reply: str) -> float:
        favourite = 0.0 if reply == "gold" else -2.0
        return favourite + (3.0 if reply == "iron" and "iron was found" in prompt else 0.0)

    model = FakeScoringModel(likes=likes)
    values = by_probability(model, "What was found?", ["gold", "iron"], ["iron was found"])
    assert np.allclose(values, [0.0, 3.0])
    assert len(model.scored) == 2
