"""What happened in a session, and the way back to any state: `History`.

Each action is a node that knows the one before it and the bits that it flipped. The bits between two states
are those of the nodes on the way from one to the other, so that undoing, redoing and going back to any
earlier state are the same thing: flip them again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anytomy.server.problems import ConflictError, NotFoundError
from anytomy.server.scene import Scene

if TYPE_CHECKING:
    from anytomy.server.patches import Patch

Flips = tuple[tuple[int, "Patch"], ...]  # label, bits that change, on the file's grid (z, y, x)


@dataclass(frozen=True, eq=False)
class Node:
    """A state.

    Attributes:
        seq: Number of the action that made it; 0 for the beginning.
        parent: The state before.
        scene: Its labels and prompts.
        flips: What the action changed in the masks.
        kind: `prompt`, `draw`, `propagate`, `labels`, `clear`; empty for the beginning.
        about: Who, when, and what was asked; JSON-able.
    """

    seq: int
    parent: Node | None
    scene: Scene
    flips: Flips = ()
    kind: str = ""
    about: dict[str, Any] = field(default_factory=dict)


class History:
    """The tree of states, and where we are."""

    def __init__(self) -> None:
        self.current = Node(0, None, Scene())
        self.seq = 0
        self.undone: list[Node] = []
        self._at: dict[int, Node] = {0: self.current}

    def add(self, node: Node) -> None:
        """A new action on the current state."""
        assert node.parent is self.current
        assert node.seq == self.seq + 1
        self.undone = []
        self._go(node, node.seq)

    def undo_target(self) -> Node:
        """The state before the current one.

        Raises:
            ConflictError: If this is the beginning.
        """
        if self.current.parent is None:
            raise ConflictError("there is nothing to undo")
        return self.current.parent

    def redo_target(self) -> Node:
        """The state that was undone last.

        Raises:
            ConflictError: If nothing was undone since the last action.
        """
        if not self.undone:
            raise ConflictError("there is nothing to redo")
        return self.undone[-1]

    def target(self, seq: int) -> Node:
        """The state after action number `seq`.

        Raises:
            NotFoundError: If there was no such action.
        """
        if seq not in self._at:
            raise NotFoundError(f"there is no state {seq}", hint=f"states are 0 to {self.seq}")
        return self._at[seq]

    def move(self, kind: str, node: Node, seq: int) -> None:
        """Be at another state: the action number `seq` was an `undo`, a `redo` or a `restore`."""
        if kind == "undo":
            self.undone.append(self.current)
        elif kind == "redo":
            self.undone.pop()
        else:
            self.undone = []
        self._go(node, seq)

    def _go(self, node: Node, seq: int) -> None:
        self.current, self.seq = node, seq
        self._at[seq] = node

    def between(self, node: Node) -> Flips:
        """The bits that differ between the current state and another one."""
        one, two = self.current, node
        flips: list[tuple[int, Patch]] = []
        while one is not two:
            # A child always has the higher number.
            if one.seq > two.seq:
                flips += one.flips
                assert one.parent is not None
                one = one.parent
            else:
                flips += two.flips
                assert two.parent is not None
                two = two.parent
        return tuple(flips)

    def line(self) -> list[Node]:
        """The actions that the current state is made of, the first one first."""
        nodes = []
        node: Node | None = self.current
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]
