"""The settings of memqa: what may be chosen, within which bounds, and where a choice comes from.

A flag (given by the caller) wins over ``MEMQA_*`` in the environment (two underscores between the
parts: ``MEMQA_VIDEO__FRAMES_PER_S=2``), that over the TOML file, that over the default. The file is
``memqa.toml`` in the platform's configuration folder, or the one that ``MEMQA_CONFIG`` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from memqa.homes import home_named
from memqa.near import did_you_mean
from memqa.whereabouts import CONFIG_VARIABLE, config_path, default_home
from models.errors import SetupError
from models.options import LanguageOptions

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TierSetting: TypeAlias = Literal["auto", "A", "B", "C", "D"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelNames(_Part):
    """Which model serves each port, by a name as ``models/specs.py`` reads it.

    ``captioner`` is a language model that sees; empty for the one that answers.
    """

    image_encoder: str = "embedded"
    text_encoder: str = "embedded"
    transcriber: str = "embedded"
    text_reader: str = "embedded"
    language_model: str = "embedded"
    captioner: str = ""


class LanguageSettings(_Part):
    """How a language model is run; see `models.options.LanguageOptions`."""

    context_tokens: int = Field(default=0, ge=0, le=2**21)
    gpu_layers: int = Field(default=-1, ge=-1)
    projector: Path | None = None
    four_bit: bool = False
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    api_key: SecretStr = SecretStr("")

    @field_validator("projector")
    @classmethod
    def _at_home(cls, projector: Path | None) -> Path | None:
        return projector.expanduser() if projector else None

    def options(self) -> LanguageOptions:
        """Give them as the catalogue takes them."""
        return LanguageOptions(
            **self.model_dump(exclude={"api_key"}), api_key=self.api_key.get_secret_value()
        )


class VideoSettings(_Part):
    """How a video is watched; ``memory_bytes`` is what its picture memory may grow to.

    ``regions`` is how many rows and columns of cells the memory takes besides each whole picture.
    """

    frames_per_s: float = Field(default=1.0, ge=0.2, le=30)
    method: str = "auto"
    memory_bytes: int = Field(default=2 * 2**20, ge=2**18, le=2**32)
    regions: int = Field(default=0, ge=0, le=7)
    listen: bool = True
    read_screen: bool = True


class DocumentSettings(_Part):
    """How a document is read; ``read_scans`` reads pages that are pictures."""

    read_scans: bool = True


class LimitSettings(_Part):
    """What the program refuses to take in, what visitors may ask, and how the disk is used.

    ``min_free_bytes`` is what uploads leave of the disk, ``spare_share`` how much older versions
    of a library's tables may hold, as a share of what they hold now.
    """

    max_upload_bytes: int = Field(default=20_000_000_000, ge=1)
    max_video_hours: float = Field(default=24.0, gt=0)
    min_free_bytes: int = Field(default=1_000_000_000, ge=0)
    asks_per_minute: int = Field(default=20, ge=1)
    asks_at_once: int = Field(default=2, ge=1)
    asks_at_once_in_all: int = Field(default=8, ge=1)
    spare_share: float = Field(default=0.2, ge=0, le=10)


class JobSettings(_Part):
    """How the background worker behaves."""

    idle_exit_s: float = Field(default=300.0, ge=0)
    max_attempts: int = Field(default=3, ge=1, le=100)


class BatchSettings(_Part):
    """What one file may take where worker processes, here or of a cluster, take many files in.

    A file may take ``file_s`` seconds and ``times_length`` times its length, of which a page is a
    second, besides what it takes to fetch its bytes and to read them through; it is given up after
    ``silence_s`` without progress, or where its process, with those that decode for it, holds more
    than ``resident_bytes``; on a cluster that is for the cluster to say.
    """

    file_s: float = Field(default=600.0, gt=0)
    times_length: float = Field(default=30.0, ge=0)
    silence_s: float = Field(default=600.0, gt=0)
    resident_bytes: int = Field(default=6 * 2**30, ge=2**20)


class Settings(BaseSettings):
    """All settings; an unknown key or a number out of bounds is refused when they are loaded.

    ``tier`` says what the language model may decide, from A (it leads) to D (no model is used);
    ``auto`` goes by what the model showed in a test. ``caption`` is for a captioner of its own, so
    that neither a key nor a projector of the language model ever goes to another model.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="MEMQA_", env_nested_delimiter="__"
    )

    home: Path = Field(default_factory=default_home)
    tier: TierSetting = "auto"
    models: ModelNames = ModelNames()
    language: LanguageSettings = LanguageSettings()
    caption: LanguageSettings = LanguageSettings()
    video: VideoSettings = VideoSettings()
    document: DocumentSettings = DocumentSettings()
    limits: LimitSettings = LimitSettings()
    jobs: JobSettings = JobSettings()
    batch: BatchSettings = BatchSettings()

    @field_validator("home", mode="before")
    @classmethod
    def _of_address(cls, home: Any) -> Any:
        return home_named(home) if isinstance(home, str | Path) else home

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the sources in order, the strongest first."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_path())
        return init_settings, env_settings, file


def load(**flags: Any) -> Settings:
    """Load the settings; a flag that is None was not given.

    Raises:
        SetupError: an unknown key, a number out of bounds, or a file that is no TOML.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if config_path().is_dir():
        raise SetupError(
            f"the settings file {config_path()} is a folder; let {CONFIG_VARIABLE} name a file"
        )
    try:
        settings = Settings(**given)
    except ValidationError as exc:
        raise SetupError(_told(exc)) from exc
    except ValueError as exc:  # tomllib's and pydantic-settings' own errors are ValueErrors
        raise SetupError(f"the settings cannot be read: {exc}; look at {config_path()}") from exc
    return settings.model_copy(update={"home": home_named(settings.home)})


def _told(error: ValidationError) -> str:
    wrong = "; ".join(_wrong([str(part) for part in item["loc"]], item) for item in error.errors())
    return f"wrong settings ({wrong}); look at MEMQA_* and {config_path()}"


def _wrong(place: list[str], item: ErrorDetails) -> str:
    name = ".".join(place)
    if item["type"] != "extra_forbidden":
        given = "" if "api_key" in name else f", not {str(item['input'])[:80]!r}"
        return f"{name}: {item['msg']}{given}"
    return f"there is no setting {name!r}.{did_you_mean(name, names())}"


def names() -> list[str]:
    """Give the names of all settings, parts joined by a point: ``video.frames_per_s``."""
    found = []
    for name, field in Settings.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            found += [f"{name}.{one}" for one in part.model_fields]
        else:
            found.append(name)
    return found
