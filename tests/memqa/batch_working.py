"""A worker of a batch with fake engines that obey poisonous words: started for the real one."""

from __future__ import annotations

from benchmarks.poison import Obedient
from memqa.batch_worker import main
from models.ports import TextEncoder
from tests.memqa.parts import FakeEngines


class ObedientEngines(FakeEngines):
    def text_encoder(self) -> TextEncoder:
        return Obedient(super().text_encoder())


if __name__ == "__main__":
    main(lambda _: ObedientEngines())
