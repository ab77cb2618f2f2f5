from docmem.about import sentences_of
from docmem.turns import speaker_of


def _of(text: str, *more: str) -> dict[str, dict[str, float]]:
    return {item.text: item.about for item in sentences_of([text, *more])}


def test_i_is_the_speaker_and_you_is_the_other():
    found = _of("Ann: I sold my car. Your house is nice.\nBob: Thank you. I like it.")
    assert found["I sold my car."] == {"ann": 1.0, "bob": 0.0}
    assert found["Your house is nice."] == {"ann": 0.0, "bob": 1.0}
    assert found["Thank you."] == {"ann": 1.0, "bob": 0.0}
    assert found["I like it."] == {"ann": 0.0, "bob": 1.0}


def test_a_question_without_i_asks_of_the_other():
    found = _of("Ann: Any favourite style?\nBob: Waltz.")
    assert found["Any favourite style?"]["bob"] == 1.0
    assert found["Waltz."]["bob"] > found["Waltz."]["ann"] > 0


def test_who_speaks_of_both_speaks_of_each_by_half():
    assert _of("Ann: Did you see my car?\nBob: No.")["Did you see my car?"] == {
        "ann": 0.5,
        "bob": 0.5,
    }


def test_with_one_or_three_nothing_is_inferred():
    assert sentences_of(["Ann: I am alone."]) == []
    assert sentences_of(["Ann: I am here.\nBob: Me too.\nCyd: And I."]) == []
    assert sentences_of(["No turns at all.", ""]) == []


def test_turns_go_over_lines_and_texts():
    found = sentences_of(["Ann: One.\nI said two.", "Bob: Three."])
    assert [item.speaker for item in found] == ["ann", "ann", "bob"]


def test_a_speaker_is_told_from_the_time():
    assert speaker_of("[0:12] Ann Lee:") == "Ann Lee"
    assert speaker_of("Ann (0:12):") == "Ann"
    assert speaker_of("[0:12]") == ""
