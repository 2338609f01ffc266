"""Recognising how people's own folders of images and masks are laid out.

recognition = recognise(Tree.of(folder))
print(recognition.kind, *recognition.understood, *recognition.odd, sep="\\n")
"""

from anytomy.datasets.recognising.recognise import recognise
from anytomy.datasets.recognising.recognition import Recognition
from anytomy.datasets.recognising.wishes import Wishes

__all__ = ["Recognition", "Wishes", "recognise"]
