"""Language models behind one protocol: any OpenAI-compatible chat endpoint, or Hugging Face inference.

Both give text. What the text is worth is judged by domain.exchange.oracle; a model that writes prose instead of JSON
has answered.
"""

from __future__ import annotations

from typing import Final, Protocol

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.exchange.oracle import ANSWER_SCHEMA, Prompt
from gateways.upstream import Upstream

HUGGINGFACE_URL: Final = "https://api-inference.huggingface.co/models/google/flan-t5-base"
TIMEOUT_S: Final = 30.0
TOKENS_MAX: Final = 800
SMALL_TOKENS_MAX: Final = 250
"""Hugging Face inference takes no more."""
ANSWER_MAX: Final = 4_000
"""Characters of an answer that are judged and kept."""


class Completion(BaseModel):
    """`model` as the service names it, else as we asked for it."""

    model_config = ConfigDict(frozen=True)
    text: str
    model: str


class LanguageModel(Protocol):
    """`provider` names who answers, for provenance."""

    provider: str

    async def complete(self, prompt: Prompt) -> Completion:
        """One answer.

        Raises: Unavailable model_unavailable, Rejected upstream_refused, Quarantined.
        """
        ...


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: _Message


class _Chat(BaseModel):
    model_config = ConfigDict(extra="ignore")
    model: str = ""
    choices: list[_Choice] = Field(min_length=1)


class OpenAiChat:
    """POST {base}/chat/completions, asking for structured output after the answer's schema."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = model
        self._upstream = Upstream(
            "openai",
            f"{base_url.rstrip('/')}/chat/completions",
            code="model_unavailable",
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout_s=timeout_s,
            transport=transport,
        )
        self.provider = f"openai ({self._upstream.host})"

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def complete(self, prompt: Prompt) -> Completion:
        raw = await self._upstream.post(
            {
                "model": self._model,
                "messages": [
                    {"role": "system", "content": prompt.system},
                    {"role": "user", "content": prompt.user},
                ],
                "max_completion_tokens": TOKENS_MAX,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "oracle_signal", "strict": True, "schema": ANSWER_SCHEMA},
                },
            }
        )
        try:
            chat = _Chat.model_validate(raw)
        except ValidationError as error:
            raise self._upstream.odd("chat", "not a chat completion", raw) from error
        message = chat.choices[0].message
        text = message.content or message.refusal or ""
        return Completion(text=text[:ANSWER_MAX], model=chat.model[:200] or self._model)


class _Generated(BaseModel):
    model_config = ConfigDict(extra="ignore")
    generated_text: str


class HuggingFace:
    """POST the model's URL with {"inputs"}; small models take one text and often write prose.

    A model that is being loaded answers 503 with an estimate: Unavailable, as any other outage.
    """

    def __init__(
        self,
        api_key: str,
        url: str = HUGGINGFACE_URL,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = url.partition("/models/")[2] or url.rsplit("/", 1)[-1]
        self._upstream = Upstream(
            "huggingface",
            url,
            code="model_unavailable",
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout_s=timeout_s,
            transport=transport,
        )
        self.provider = f"huggingface ({self._upstream.host})"

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def complete(self, prompt: Prompt) -> Completion:
        inputs = f"{prompt.system}\n\n{prompt.user}"
        raw = await self._upstream.post(
            {
                "inputs": inputs,
                "parameters": {"max_new_tokens": SMALL_TOKENS_MAX},
                "options": {"wait_for_model": True, "use_cache": False},
            }
        )
        found = raw[0] if isinstance(raw, list) and raw else raw
        try:
            text = _Generated.model_validate(found).generated_text
        except ValidationError as error:
            raise self._upstream.odd("generation", "no generated_text", raw) from error
        return Completion(text=text.removeprefix(inputs)[:ANSWER_MAX], model=self._model)
