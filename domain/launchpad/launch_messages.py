"""What the workflow of a launch, its activities and the API say to each other. Fields are only ever added."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class LaunchRef(Message):
    launch_id: str


class Done(Message):
    """What a step found or made, for people: `detail` a sentence, `links` to explorers."""

    detail: str = ""
    links: tuple[dict[str, str], ...] = ()


class Found(Message):
    """What a step's probe says of the chain or the books: `done`, there is nothing left to do."""

    done: bool
    detail: str = ""


class Turn(Message):
    """From one step to the next: `ended` is booked as done, `begins` as running."""

    launch_id: str
    begins: str
    ended: str | None = None
    done: Done = Done()


Answer = Literal["go", "held", "cancelled", "ended"]
"""`held`: the kill switch is off, look again; `cancelled`: give the launch up; `ended`: it is over."""


class Go(Message):
    """May the step begin? `step`: which one, by the books. `signing`: whose wallet signs creation, `platform` or
    `creator`."""

    answer: Answer
    step: str
    status: str
    signing: str


class StepRef(Message):
    """`finalized`: only what can no longer be undone counts."""

    launch_id: str
    step: str
    finalized: bool = False


class StepPlanned(Message):
    """The transaction of a step stands in the books under `key`."""

    key: str
    detail: str = ""


class Awaited(Message):
    """A message waits for the creator's wallet. `signed`: it was handed in already. `for_s`: how long that is awaited
    before an operator is asked."""

    signed: bool
    for_s: int


class Lent(Message):
    """The durable nonce of a transaction. `makes`: the plan of this key has to land first, finally; without it the
    transaction is on an ordinary blockhash."""

    makes: str | None = None


class Signed(Message):
    """Update `submit_signature`: the books hold the signed transaction under `key`."""

    key: str
    signature: str


class GiveUp(Message):
    """Update `cancel`."""

    launch_id: str
    principal: str
    note: str = ""


class Undone(Message):
    """What becomes of a launch that is given up: `code` None: it was cancelled."""

    launch_id: str
    code: str | None = None
    detail: str = ""


class LaunchState(Message):
    """How a launch stands; the answer of every update and of the process."""

    status: str
    failure_code: str | None = None
