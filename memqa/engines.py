"""The models a library works with, by the names in its settings; each loads on first use."""

from __future__ import annotations

from typing import Protocol

from memqa.settings import ModelNames
from models import catalog
from models.options import PLAIN, LanguageOptions
from models.ports import ImageEncoder, LanguageModel, TextEncoder, TextReader, Transcriber


class Engines(Protocol):
    """What perceives, embeds and speaks for a library."""

    def signatures(self) -> dict[str, str]:
        """Give the signatures of the models that made memories, as a media's are named.

        Loads none; one that cannot be told without is left out.
        """
        ...

    def image_encoder(self) -> ImageEncoder:
        """Give the model that sees."""
        ...

    def text_encoder(self) -> TextEncoder:
        """Give the model that compares texts."""
        ...

    def transcriber(self) -> Transcriber:
        """Give the model that writes down speech."""
        ...

    def text_reader(self) -> TextReader:
        """Give the model that reads text off pictures."""
        ...

    def language_model(self) -> LanguageModel:
        """Give the model that writes answers."""
        ...

    def captioner(self) -> LanguageModel:
        """Give the model that describes pictures; where none was named, the one that answers."""
        ...


class CatalogEngines:
    """The engines that the settings name, out of the catalogue, which keeps each loaded once.

    ``options`` are for the language model, ``caption`` for a captioner that is another model.
    Every method raises SetupError where the name is unknown or the model is missing.
    """

    def __init__(
        self,
        names: ModelNames,
        options: LanguageOptions = PLAIN,
        caption: LanguageOptions = PLAIN,
    ) -> None:
        self._names = names
        self._options = options
        self._caption = caption

    def signatures(self) -> dict[str, str]:
        """Give the signatures that the catalogue tells of the models named; loads none."""
        names = {
            "text": ("text_encoder", self._names.text_encoder),
            "image": ("image_encoder", self._names.image_encoder),
            "speech": ("transcriber", self._names.transcriber),
            "reader": ("text_reader", self._names.text_reader),
        }
        told = {key: catalog.signature(port, name) for key, (port, name) in names.items()}
        return {key: signature for key, signature in told.items() if signature}

    def image_encoder(self) -> ImageEncoder:
        """Give the model that sees."""
        return catalog.image_encoder(self._names.image_encoder)

    def text_encoder(self) -> TextEncoder:
        """Give the model that compares texts."""
        return catalog.text_encoder(self._names.text_encoder)

    def transcriber(self) -> Transcriber:
        """Give the model that writes down speech."""
        return catalog.transcriber(self._names.transcriber)

    def text_reader(self) -> TextReader:
        """Give the model that reads text off pictures."""
        return catalog.text_reader(self._names.text_reader)

    def language_model(self) -> LanguageModel:
        """Give the model that writes answers."""
        return catalog.language_model(self._names.language_model, self._options)

    def captioner(self) -> LanguageModel:
        """Give the model that describes pictures; where none was named, the one that answers."""
        if self._names.captioner in ("", self._names.language_model):
            return self.language_model()
        return catalog.language_model(self._names.captioner, self._caption)
