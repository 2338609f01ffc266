"""Everything that a server holds together: `Desk`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OutputError
from anytomy.engine.model import check_prompt_kinds
from anytomy.predict.plane import decode_plane
from anytomy.predict.segment import check_request
from anytomy.predict.zoom import Zoom
from anytomy.server.cases import Cases
from anytomy.server.fair_queue import FairQueue, Rank
from anytomy.server.jobs import Jobs, plane_prompt
from anytomy.server.opening import Opened
from anytomy.server.output import save
from anytomy.server.problems import BusyError
from anytomy.server.sessions import Sessions
from anytomy.server.store import Store
from anytomy.server.uploads import read_upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.predict.result import Result
    from anytomy.server.cases import Case
    from anytomy.server.history import Flips
    from anytomy.server.models import Models
    from anytomy.server.opening import OpenCase
    from anytomy.server.session import Session
    from anytomy.server.settings import Settings
    from anytomy.server.types import Looking, NewPrompt

# The slice itself, then outwards.
_AHEAD = (0, 1, -1, 2, -2)


class Desk:
    """Cases, sessions, the model's queue and the store of one server.

    Args:
        settings: What is served.
        models: What can be asked.

    Raises:
        OutputError: If another server works on the same state, or it cannot be written.
    """

    def __init__(self, settings: Settings, models: Models) -> None:
        from filelock import FileLock, Timeout

        self.settings = settings
        self.models = models
        self._closing = False
        # Taken and given up in different threads.
        self._alone = FileLock(settings.state / "lock", thread_local=False)
        try:
            settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._alone.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                "another server works on the same images", hint="stop it, or choose another --output"
            ) from None
        except OSError as error:
            raise OutputError(
                f"cannot keep work in progress in {settings.state}: {error.strerror}",
                hint="choose another folder with --output",
            ) from error
        self.store = Store(settings.state / "work.sqlite")
        self.cases = Cases(settings, self.store.secret)
        self.opened = Opened(_read, settings.limits.image_bytes)
        self.sessions = Sessions(self.store, self.cases, self.opened, settings.limits)
        self.queue = FairQueue(settings.limits.queued, models.interrupt)
        self.jobs = Jobs(self.queue, self.sessions, models)

    def close(self) -> None:
        """Stop work and give up the state."""
        self._closing = True
        self.queue.close()
        self.store.close()
        self._alone.release()

    def warm_up(self) -> Future[Any]:
        """Load the default model before anybody waits for it; what is wrong with it is said to who asks."""
        return self.queue.submit("", Rank.WAITED_FOR, lambda: self.models.open(self.models.default))

    def open(self, session: Session) -> OpenCase:
        """The image of a session."""
        return self.opened.open(self.cases.get(session.row.case_id))

    def save(self, session: Session, who: str) -> Any:
        """Write the label map of a session and how it came about; see `output.save`."""
        case = self.cases.get(session.row.case_id)
        written = save(session, case, self.open(session).image, self.cases.all(), self.settings, who)
        self.store.mark_saved(session.row.id, written["seq"])
        return written

    def segment(
        self, case: Case, reference: str, prompts: Sequence[Prompt], *, volume: str, rank: Rank
    ) -> Future[Result]:
        """Have a whole image segmented, without a session; what is wrong with prompts is found at once.

        Args:
            case: The image.
            reference: The model.
            prompts: On the file's grid; none for a model that finds classes.
            volume: Strategy for volumes.
            rank: `LONG` for what takes longer than a few slices: others are let through in between.

        Raises:
            PromptError: If a prompt lies outside of the image.
            UnsupportedPromptError: If the model never learned such prompts.
            BusyError: If too much waits.
        """
        found = self.opened.open(case)
        card = self.models.card(reference)
        check_request(card, found.image, prompts, volume=volume)
        grey = found.grey("auto", card.intensity)

        def progress(done: int, expected: int) -> None:
            if self._closing:
                raise BusyError("the server is closing")
            self.queue.let_through()

        def work() -> Result:
            model = self.models.open(reference)
            more: Any = {"progress": progress} if rank is Rank.LONG else {}
            return model.segment(found.image, prompts, volume=volume, grey=grey, **more)

        return self.queue.submit(f"case {case.id}", rank, work)

    def prompt(self, session: Session, asked: NewPrompt) -> Future[tuple[Flips, float]]:
        """Have a prompt answered and drawn; what is wrong with it is found at once.

        Raises:
            PromptError: If it does not fit the slice.
            UnsupportedPromptError: If the model never learned such prompts.
            BusyError: If too much of the session waits.
        """
        from dataclasses import replace

        found = self.open(session)
        found.view(asked.axis, asked.slice)
        place = asked.label, asked.axis, asked.slice
        reference = asked.model or session.row.model
        card = self.models.card(reference)
        zoom = Zoom.parse(asked.zoom)
        said = session.asked(place, asked.box, asked.points, begin=asked.begin)
        check_prompt_kinds(card, plane_prompt(said).kinds)
        picture = found.picture(asked.axis, asked.slice, found.grey("auto", card.intensity))

        def work() -> tuple[Flips, float]:
            # Asked again: an answer that was waited for in between may have added to the group.
            group = session.asked(place, asked.box, asked.points, begin=asked.begin)
            model = self.models.open(reference)
            decoded = decode_plane(model, picture, plane_prompt(group), zoom)
            group = replace(group, model=reference, score=decoded.score)
            mask = decoded.logits > 0
            flips = session.answer(place, group, mask, asked.points, begin=asked.begin, who=asked.who)
            return flips, decoded.score

        about = session.row.case_id, asked.axis, asked.slice, reference
        return self.queue.submit(session.row.id, Rank.WAITED_FOR, work, about)

    def look(self, session: Session, asked: Looking) -> int:
        """Encode a slice and its neighbours ahead; earlier wishes of the session are dropped.

        Returns:
            How many slices that are.
        """
        axis, slice_ = asked.axis, asked.slice
        found = self.open(session)
        count = found.view(axis, slice_).size[2]
        reference = asked.model or session.row.model
        grey = found.grey("auto", self.models.card(reference).intensity)

        def encoding(index: int) -> Callable[[], object]:
            return lambda: self.models.encode_ahead(reference, found.picture(axis, index, grey))

        near = [slice_ + step for step in _AHEAD if 0 <= slice_ + step < count]
        works = {(session.row.case_id, axis, index, reference): encoding(index) for index in near}
        self.queue.replace(session.row.id, Rank.AHEAD, works)
        return len(near)


def _read(case: Case) -> Image:
    if case.kind == "upload":
        return read_upload(case.path)
    from anytomy.io.read import read

    return read(case.path, series=case.series)
