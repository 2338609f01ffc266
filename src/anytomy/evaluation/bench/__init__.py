"""The benchmark: what is to be done (`config`), doing it (`runner`), what came out (`table`)."""
